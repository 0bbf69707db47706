"""That nothing is missing from a range, and nothing in it invented: proven against what its headers commit to.

A header's hash is recomputed when it is fetched, so its bloom and its receipts root are the chain's own. A block whose bloom
excludes all that is followed has none of it, and nothing more is asked. Of any other block the receipts are asked for; once
they have the header's root, the followed logs in them are the block's, and those are recorded, whatever `eth_getLogs` said.

Receipts cost: they are of everything in the block. Where too many blocks of an old range would have to be asked, two
endpoints that agree are the next best, and one endpoint whose logs the blooms do not contradict is the last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.event_listener.fetch import (
    Caught,
    ChainLog,
    Header,
    InconsistentAnswer,
    Range,
    UntrueAnswer,
    fetch_more,
)
from paimon.application.event_listener.wanted import Wanted, log_queries
from paimon.domain.chain import checksum, hex0x
from paimon.domain.followed import Followed
from paimon.domain.proof import Lie, ProofLevel
from paimon.infrastructure.blockchain.bloom import bloom_of, excludes
from paimon.infrastructure.blockchain.receipts import (
    Receipt,
    ReceiptsNotServed,
    read_block_receipts,
    read_receipts,
)
from paimon.infrastructure.blockchain.rpc import Rpc, RpcError, RpcUnavailable

log = structlog.get_logger(__name__)

_BLOCKS_A_REQUEST: Final = 5
"""A full block's receipts are hundreds of kilobytes."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How the range is proven, and the range with the logs that are so. `receipts_of` counts the blocks that were asked for."""

    level: ProofLevel
    fetched: Range
    receipts_of: int = 0
    caught: tuple[Caught, ...] = ()


async def prove(
    rpc: Rpc, fetched: Range, followed: Followed, *, second: Rpc | None = None, receipts_max: int | None = None
) -> Proof:
    """Prove the range as well as can be done at this cost; `receipts_max` None: at any.

    `followed` is what is followed at the range's end. `second` is asked where `rpc` does not have receipts, or has wrong
    ones, and it is who must agree where receipts would cost too much.

    Raises:
        UntrueAnswer: receipts are wrong and nobody has right ones.
        InconsistentAnswer: the node does not have the receipts yet, or two endpoints differ and receipts cannot settle it.
        RpcUnavailable, RpcError.
    """
    wanted = Wanted.of(followed)
    hiding = hiding_blocks(fetched.headers, wanted)
    if receipts_max is None or len(hiding) <= receipts_max:
        try:
            return await _by_receipts(rpc, second, fetched, hiding, wanted)
        except ReceiptsNotServed as refusal:
            log.warning("proof.receipts_not_served", reason=str(refusal), block=fetched.last.number)
    fetched, caught = _within_blooms(rpc, fetched)
    if second is None:
        return Proof(ProofLevel.CHAINED, fetched, caught=caught)
    return await _by_agreement(rpc, second, fetched, followed, caught)


def hiding_blocks(headers: Iterable[Header], wanted: Wanted) -> list[Header]:
    """The blocks that may have wanted logs, as far as their blooms tell."""
    return [each for each in headers if wanted.may_be_in(each.stamp.number, each.logs_bloom)]


async def _by_receipts(rpc: Rpc, second: Rpc | None, fetched: Range, hiding: Sequence[Header], wanted: Wanted) -> Proof:
    proven, caught = await proven_logs(rpc, second, hiding, wanted)
    lies = differing(rpc.endpoint, fetched.logs, proven)
    return Proof(ProofLevel.RECEIPTS, Range(fetched.headers, tuple(proven)), len(hiding), (*caught, *lies))


async def proven_logs(
    rpc: Rpc, second: Rpc | None, blocks: Sequence[Header], wanted: Wanted
) -> tuple[list[ChainLog], list[Caught]]:
    """The wanted logs of these blocks by their receipts, from the first endpoint that has right ones; who had wrong ones.

    Raises:
        ReceiptsNotServed: nobody serves receipts.
        UntrueAnswer: nobody has right ones.
        InconsistentAnswer, RpcUnavailable, RpcError.
    """
    untrue: list[UntrueAnswer] = []
    refusal: Exception | None = None
    for endpoint in (rpc, second):
        if endpoint is None:
            continue
        try:
            return await _checked_logs(endpoint, blocks, wanted), [each.caught for each in untrue]
        except UntrueAnswer as lie:
            untrue.append(lie)
        except ReceiptsNotServed as error:
            refusal = refusal or error
        except (RpcUnavailable, RpcError):
            if endpoint is rpc:
                raise
    raise next(iter(untrue), refusal) or InconsistentAnswer(f"no endpoint has receipts of block {blocks[0].stamp}")


async def _checked_logs(rpc: Rpc, blocks: Sequence[Header], wanted: Wanted) -> list[ChainLog]:
    """A few blocks at a time: of all the receipts only the wanted logs are kept."""
    found: list[ChainLog] = []
    for start in range(0, len(blocks), _BLOCKS_A_REQUEST):
        chunk = blocks[start : start + _BLOCKS_A_REQUEST]
        answers = await read_block_receipts(rpc, [(each.stamp.number, each.transactions) for each in chunk])
        for header, receipts in zip(chunk, answers, strict=True):
            if receipts is None:
                raise InconsistentAnswer(f"{rpc.endpoint} does not have the receipts of block {header.stamp} yet")
            found += _logs_of(rpc, header, receipts, wanted)
    return found


def _logs_of(rpc: Rpc, header: Header, receipts: Sequence[Receipt], wanted: Wanted) -> list[ChainLog]:
    """The block's wanted logs, once its receipts have the header's root."""
    block = header.stamp
    try:
        root, logs = read_receipts(receipts)
        if root != header.receipts_root:
            raise UntrueAnswer(
                rpc.endpoint, Lie.WRONG_RECEIPTS, block, f"its {len(receipts)} receipts have the root {hex0x(root)[:10]}"
            )
        if [each["transactionHash"] for each in receipts] != [*header.transactions]:
            raise UntrueAnswer(rpc.endpoint, Lie.WRONG_RECEIPTS, block, "its receipts are not of the block's transactions")
        return [
            ChainLog(block, each.log_index, each.tx_hash, each.tx_index, each.address, each.topics, each.data)
            for each in logs
            if wanted.admits(block.number, each.address, each.topics)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UntrueAnswer(rpc.endpoint, Lie.WRONG_RECEIPTS, block, f"its receipts do not read: {error!r}") from error


def _within_blooms(rpc: Rpc, fetched: Range) -> tuple[Range, tuple[Caught, ...]]:
    """Without the logs that their own block's bloom excludes: those were never emitted there."""
    blooms = {each.stamp.number: each.logs_bloom for each in fetched.headers}
    forged = [each for each in fetched.logs if excludes(blooms[each.block.number], bloom_of(each.address, *each.topics[:1]))]
    if not forged:
        return fetched, ()
    kept = tuple(each for each in fetched.logs if each not in forged)
    return Range(fetched.headers, kept), tuple(_caught(rpc.endpoint, Lie.FORGED_LOG, each) for each in forged)


async def _by_agreement(rpc: Rpc, second: Rpc, fetched: Range, followed: Followed, caught: tuple[Caught, ...]) -> Proof:
    """What two endpoints say alike; of blocks in which they differ, what the receipts say."""
    first, last = fetched.headers[0].stamp.number, fetched.last.number
    try:
        others = await fetch_more(second, Range(fetched.headers, ()), log_queries(followed, first, last))
    except (RpcUnavailable, RpcError) as error:
        log.warning("proof.second_endpoint_away", reason=str(error), block=last)
        return Proof(ProofLevel.CHAINED, fetched, caught=caught)
    if others.logs == fetched.logs:
        return Proof(ProofLevel.AGREED, fetched, caught=caught)
    numbers = {each.block.number for each in set(others.logs) ^ set(fetched.logs)}
    disputed = [each for each in fetched.headers if each.stamp.number in numbers]
    try:
        proven, lies = await proven_logs(rpc, second, disputed, Wanted.of(followed))
    except ReceiptsNotServed as refusal:
        raise InconsistentAnswer(
            f"{rpc.endpoint} and {second.endpoint} differ in {len(disputed)} blocks from {disputed[0].stamp} on, and neither"
            f" serves receipts to settle it: {refusal}"
        ) from refusal
    for endpoint, given in ((rpc.endpoint, fetched.logs), (second.endpoint, others.logs)):
        lies += differing(endpoint, [each for each in given if each.block.number in numbers], proven)
    settled = Range(fetched.headers, tuple(each for each in fetched.logs if each.block.number not in numbers))
    return Proof(ProofLevel.AGREED, settled.with_logs(proven), len(disputed), (*caught, *lies))


def differing(endpoint: str, given: Iterable[ChainLog], proven: Iterable[ChainLog]) -> list[Caught]:
    """Every log in which what was given is not what is proven."""
    told = {(each.block.number, each.log_index): each for each in given}
    true = {(each.block.number, each.log_index): each for each in proven}
    found: list[Caught] = []
    for place in sorted(told.keys() | true.keys()):
        if place not in told:
            found.append(_caught(endpoint, Lie.OMITTED_LOG, true[place]))
        elif place not in true:
            found.append(_caught(endpoint, Lie.FORGED_LOG, told[place]))
        elif told[place] != true[place]:
            found.append(_caught(endpoint, Lie.CHANGED_LOG, told[place]))
    return found


_WORDS: Final = {
    Lie.OMITTED_LOG: "was left out",
    Lie.FORGED_LOG: "is not in the block",
    Lie.CHANGED_LOG: "is otherwise in the block",
}


def _caught(endpoint: str, lie: Lie, log: ChainLog) -> Caught:
    words = f"log {log.log_index} of {checksum(log.address)} {_WORDS[lie]}"
    return Caught(endpoint, lie, log.block.number, words)
