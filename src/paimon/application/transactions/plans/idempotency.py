"""A plan's key stands for one plan: its name and its calls, whoever hands it in and however it ended."""

from sqlalchemy import select

from paimon.application.common.idempotency import PayloadConflict
from paimon.domain.kernel.chain import Hash32
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


async def find_existing_plan(session: ReadSession | WriteSession, key: str, digest: Hash32) -> PlanRow | None:
    """The plan that has the key already. Raises PayloadConflict for one of other calls."""
    existing = (await session.scalars(select(PlanRow).where(PlanRow.idempotency_key == key))).one_or_none()
    if existing is not None and existing.payload_hash != digest:
        raise PayloadConflict(f"plan {key!r} exists with other calls or another name: one key stands for one plan")
    return existing
