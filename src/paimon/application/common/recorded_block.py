"""What was read at a recorded block is kept only while that block is recorded.

A reader takes the cursor's block, asks the chain, and writes later. In between a recovery may have given the block up: an
observation of it, written then, would stand in the books as of a block that never was.
"""

from typing import Final

import structlog
from sqlalchemy import text

from paimon.application.common.log_fields import block_fields
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

# The lock makes a recovery wait for our commit, and so see what we wrote and take it with the block. Before the first
# recorded block the cursor alone says where we are.
_BLOCK: Final = text("SELECT 1 FROM derived.blocks WHERE hash = :hash FOR KEY SHARE")
_CURSOR: Final = text("SELECT 1 FROM derived.cursor WHERE hash = :hash FOR KEY SHARE")


async def lock_recorded_block(session: WriteSession, at: BlockStamp) -> bool:
    """Whether the block is recorded still; if so, it stays until this transaction ends."""
    for query in (_BLOCK, _CURSOR):
        if (await session.execute(query, {"hash": at.hash})).scalar() is not None:
            return True
    log.warning("observation.dropped", reason="its block was given up meanwhile", **block_fields(at))
    return False
