"""Show an error of a Safe's task on the Safe's row, and clear it when the task succeeds.

A run has two tasks, and each clears only its own error: a successful sync says nothing about an execution that the node does
not answer.
"""

from enum import StrEnum

import structlog

from paimon.application.transactions.multisig.store import clear_error, record_error
from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)


class SafeTask(StrEnum):
    SYNC = "sync"
    EXECUTION = "execution"


async def record_safe_error(database: Database, safe: Address, task: SafeTask, reason: str) -> None:
    """Record that the task failed."""
    async with database.write() as session:
        await record_error(session, safe, strip_nul(f"{task}: {reason}"))


async def clear_safe_error(database: Database, safe: Address, task: SafeTask) -> None:
    """Record that the task succeeded."""
    async with database.write() as session:
        if await clear_error(session, safe, prefix=f"{task}: "):
            log.info("safe.recovered", safe=checksum(safe), task=task.value)
