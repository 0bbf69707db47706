"""What keeps this house from looking at a Safe, or from executing what is ready: shown on the Safe's row, since when and why.

The two are separate steps of each run, and each ends only what it began: a look that comes through says nothing of an
execution whose question the node does not answer.
"""

from enum import StrEnum

import structlog
from sqlalchemy import func, update

from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.text import storable

log = structlog.get_logger(__name__)


class Stage(StrEnum):
    LOOK = "looking at it"
    EXECUTION = "executing what is ready"


async def note_interruption(database: Database, safe: Address, stage: Stage, why: str) -> None:
    """This stage did not come through. A Safe that was never seen has no row to show it on."""
    words = storable(f"{stage}: {why}")
    since = func.coalesce(SafeRow.interrupted_since, func.now())
    async with database.write() as session:
        await session.execute(
            update(SafeRow).where(SafeRow.address == safe).values(interrupted_since=since, interrupted_by=words)
        )


async def end_interruption(database: Database, safe: Address, stage: Stage) -> None:
    """This stage came through."""
    ended = update(SafeRow).where(SafeRow.address == safe, SafeRow.interrupted_by.startswith(f"{stage}: "))
    async with database.write() as session:
        found = await session.execute(ended.values(interrupted_since=None, interrupted_by=None).returning(SafeRow.name))
        if found.scalar() is not None:
            log.info("safe.goes_on", safe=checksum(safe), stage=stage.value)
