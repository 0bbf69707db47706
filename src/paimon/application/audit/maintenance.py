"""Record what a person did with the owner's role: a replay or a recovery, which rewrite what was recorded or projected.

Both need the machine and the password of the owner of the tables, who is above every check; a signature would be verified by
the same hands. So they are not prevented but kept: the entry commits with the change, and the auditor seals it.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from paimon.application.audit.store import insert_maintenance
from paimon.domain.audit.entry import AuditRetention
from paimon.infrastructure.database.sessions import WriteSession


class Maintenance(StrEnum):
    """Operations of the audit trail that the owner's commands leave."""

    REPLAYED = "projections.replayed"
    RECOVERED = "chain.recovered"


async def record_maintenance(
    session: WriteSession, operation: Maintenance, *, block: int, run_by: str, details: Mapping[str, Any]
) -> None:
    """Record the operation in its transaction. `run_by` is the user and host of the command, `block` the last that stays."""
    payload = json.dumps({"runBy": run_by, **details})
    await insert_maintenance(session, operation, AuditRetention.HIGH, resource=f"block/{block}", payload=payload)
