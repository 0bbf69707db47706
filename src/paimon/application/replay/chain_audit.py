"""Recorded blocks held against the chain once more: every log, by the receipts, from an endpoint of the operator's choice.

For ranges whose proof is weak, as after a long backfill, and for the day somebody doubts the books. No book is changed:
what differs is named, and blocks in which nothing does have the strongest proof from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import func, select

from paimon.application.event_listener.fetch.block_range import ChainLog, Header, fetch_headers
from paimon.application.event_listener.fetch.log_filter import Wanted
from paimon.application.event_listener.fetch.range_proofs import raise_proof
from paimon.application.event_listener.fetch.tracked_contracts import load_followed
from paimon.application.event_listener.fetch.verify import hiding_blocks, proven_logs
from paimon.application.replay.recorded_logs import Position, read_page
from paimon.domain.chain.range_proof import ProofLevel, RangeProof
from paimon.domain.kernel.chain import Hash32, checksum, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.database.models.derived import BlockRow
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]
"""Told how many blocks of how many are done."""

_AT_ONCE: Final = 100
_LAST_OF_A_BLOCK: Final = 2**31 - 1
_ALL: Final = 2**31 - 1


class NotRecorded(StartupError):
    """The audit was asked for blocks that the books do not have."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit went through and found; `receipts_of` counts the blocks that a bloom alone did not clear."""

    first: int
    last: int
    receipts_of: int
    differences: tuple[str, ...]

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


async def audit_chain(database: Database, rpc: Rpc, first: int, last: int, *, progress: Progress) -> Audited:
    """Compare blocks `first` to `last` with the chain, page by page; each page without a difference is proven by receipts.

    Raises:
        NotRecorded: not all of these blocks are recorded.
        ReceiptsNotServed: the endpoint cannot prove anything.
        UntrueAnswer, InconsistentAnswer, RpcUnavailable, RpcError.
    """
    await _require_recorded(database, first, last)
    rpc = await rpc.preferred()
    async with database.read() as session:
        wanted = Wanted.of(await load_followed(session))
    differences: list[str] = []
    receipts_of = 0
    for start in range(first, last + 1, _AT_ONCE):
        end = min(start + _AT_ONCE - 1, last)
        headers = await fetch_headers(rpc, range(start, end + 1))
        hiding = hiding_blocks(headers, wanted)
        proven = (await proven_logs(rpc, hiding, wanted))[0] if hiding else []
        receipts_of += len(hiding)
        found = await _compared(database, headers, proven)
        differences += found
        if not found:
            async with database.write() as session:
                await raise_proof(session, RangeProof(start, end, ProofLevel.RECEIPTS))
        progress(end - first + 1, last - first + 1)
    log.info("chain.audited", endpoint=rpc.endpoint, first=first, last=last, differences=len(differences))
    return Audited(first, last, receipts_of, tuple(differences))


async def _require_recorded(database: Database, first: int, last: int) -> None:
    async with database.read() as session:
        begun, ended = (await session.execute(select(func.min(BlockRow.number), func.max(BlockRow.number)))).one()
    if begun is None:
        raise NotRecorded("the listener has recorded nothing yet; there is nothing to audit")
    if not begun <= first <= last <= ended:
        raise NotRecorded(f"blocks {first} to {last} cannot be audited: the books hold blocks {begun} to {ended}")


async def _compared(database: Database, headers: Sequence[Header], proven: Sequence[ChainLog]) -> list[str]:
    """Every block and log in which the books differ from the chain, in words. A block that is another one has other logs."""
    first, last = headers[0].stamp.number, headers[-1].stamp.number
    async with database.write() as session:
        rows = await session.execute(select(BlockRow.number, BlockRow.hash).where(BlockRow.number.between(first, last)))
        hashes = {number: Hash32(block_hash) for number, block_hash in rows}
        page = await read_page(session, Position(first - 1, _LAST_OF_A_BLOCK), last=last, logs=_ALL)
    chains = {each.stamp.number: each.stamp.hash for each in headers}
    other = {number for number, block_hash in hashes.items() if chains[number] != block_hash}
    words = [
        f"block {number}: recorded {hex0x(hashes[number])[:10]}, on the chain {hex0x(chains[number])[:10]}"
        for number in sorted(other)
    ]
    books = {each.position: each.log for each in page if each.log.block.number not in other}
    chain = {Position(each.block.number, each.log_index): each for each in proven if each.block.number not in other}
    for place in sorted(books.keys() | chain.keys()):
        if place not in books:
            words.append(f"{_named(chain[place])}: missing from the books")
        elif place not in chain:
            words.append(f"{_named(books[place])}: in the books, not on the chain")
        else:
            words += [f"{_named(books[place])}: another {column}" for column in _unlike(books[place], chain[place])]
    return words


def _named(each: ChainLog) -> str:
    return f"block {each.block.number} log {each.log_index} of {checksum(each.address)}"


def _unlike(recorded: ChainLog, true: ChainLog) -> list[str]:
    return [column for column in ChainLog._fields if getattr(recorded, column) != getattr(true, column)]
