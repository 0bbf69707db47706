"""Record what was refused to a person: the only operations that leave no row of their own."""

import json
from typing import Final

from paimon.application.audit.store import insert_refusal
from paimon.domain.audit.entry import AuditRetention
from paimon.domain.kernel.chain import Address
from paimon.infrastructure.database.sessions import Database

PERMISSION_REFUSED: Final = "permission.refused"


async def record_refused_permission(database: Database, actor: Address, *, method: str, path: str, reason: str) -> None:
    """Record that a person was refused an endpoint."""
    payload = json.dumps({"method": method, "path": path, "reason": reason})
    async with database.write_single() as session:
        await insert_refusal(
            session, PERMISSION_REFUSED, AuditRetention.MEDIUM, actor, resource=f"route/{method} {path}", payload=payload
        )
