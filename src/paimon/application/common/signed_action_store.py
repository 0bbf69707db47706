"""SQL of stored signed actions, of which no signature was verified yet.

Who may write the rows can put anything into them. So only what the verification needs is read, and no value of a row keeps
the others from being read.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, case, func, select

from paimon.application.common.stored_signature import StoredAction
from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.signed_action import ActionName
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_READABLE: Final = SignedActionRow.expires_at.between(datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
"""Of the times that PostgreSQL can store, such as infinity, Python cannot read all."""
SIGNED_COLUMNS: Final = (
    SignedActionRow.nonce,
    case((_READABLE, SignedActionRow.expires_at)).label("readable_expires_at"),
    func.jsonb_extract_path_text(SignedActionRow.typed_data, "message", "statement").label("statement"),
    func.jsonb_extract_path_text(SignedActionRow.typed_data, "message", "reason").label("signed_reason"),
    SignedActionRow.signature,
)
"""What `stored_action` reads."""


def stored_action(row: Row[Any]) -> StoredAction:
    """Return the action of a row that has `SIGNED_COLUMNS`."""
    expires_at: datetime | None = row.readable_expires_at
    terms = None if expires_at is None else SignatureTerms(Hash32(row.nonce), as_utc(expires_at))
    return StoredAction(terms, row.statement, row.signed_reason, bytes(row.signature))


async def list_stored(
    session: ReadSession | WriteSession, action: ActionName, resources: Collection[str]
) -> dict[str, list[StoredAction]]:
    """Return what is stored of one action, by its resource."""
    stored: dict[str, list[StoredAction]] = {resource: [] for resource in resources}
    query = select(SignedActionRow.resource, *SIGNED_COLUMNS)
    query = query.where(SignedActionRow.action == action, SignedActionRow.resource.in_(resources))
    for row in await session.execute(query):
        stored[row.resource].append(stored_action(row))
    return stored
