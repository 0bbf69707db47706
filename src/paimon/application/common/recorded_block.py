"""Guard of observations: keep what was read at a recorded block only while that block is recorded.

A reader takes the cursor's block, asks the chain, and writes later. A recovery from a reorganisation may remove the block in
between. An observation written then would describe a block that the database does not have.
"""

from typing import Final

import structlog
from sqlalchemy import text

from paimon.application.common.log_fields import block_fields
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

# The lock makes a recovery wait for our commit: it then sees what we wrote, and removes it with the block. Before the first
# recorded block only the cursor has a position.
_BLOCK: Final = text("SELECT 1 FROM derived.blocks WHERE hash = :hash FOR KEY SHARE")
_CURSOR: Final = text("SELECT 1 FROM derived.cursor WHERE hash = :hash FOR KEY SHARE")


async def lock_recorded_block(session: WriteSession, at: BlockStamp) -> bool:
    """Return whether the block is still recorded; if it is, it stays recorded until this transaction ends."""
    for query in (_BLOCK, _CURSOR):
        if (await session.execute(query, {"hash": at.hash})).scalar() is not None:
            return True
    log.warning("observation.dropped", reason="its block was removed by a recovery", **block_fields(at))
    return False
