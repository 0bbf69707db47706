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
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)


class SafeTask(StrEnum):
    SYNC = "looking at it"
    EXECUTION = "executing what is ready"


async def record_safe_error(database: Database, safe: Address, task: SafeTask, reason: str) -> None:
    """This stage did not come through. A Safe that was never seen has no row to show it on."""
    text = strip_nul(f"{task}: {reason}")
    since = func.coalesce(SafeRow.failing_since, func.now())
    async with database.write() as session:
        await session.execute(update(SafeRow).where(SafeRow.address == safe).values(failing_since=since, last_error=text))


async def clear_safe_error(database: Database, safe: Address, task: SafeTask) -> None:
    """This stage came through."""
    ended = update(SafeRow).where(SafeRow.address == safe, SafeRow.last_error.startswith(f"{task}: "))
    async with database.write() as session:
        found = await session.execute(ended.values(failing_since=None, last_error=None).returning(SafeRow.name))
        if found.scalar() is not None:
            log.info("safe.recovered", safe=checksum(safe), task=task.value)
