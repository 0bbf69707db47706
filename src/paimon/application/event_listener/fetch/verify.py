"""That nothing is missing from a range, and nothing in it invented: proven against what its headers commit to.

A header's hash is recomputed when it is fetched, so its bloom and its receipts root are the chain's own. A block whose bloom
excludes all that is followed has none of it, and nothing more is asked. Of any other block the receipts are asked for; once
they have the header's root, the followed logs in them are the block's, and those are recorded, whatever `eth_getLogs` said.

Receipts and headers cost: they are of everything in the block, and of every block. So of the past two endpoints that agree
are enough. Where one of the two has no answer, receipts stand in for it, at their cost: otherwise whoever leaves a log out had
only to wait for the other's bad moment. One endpoint whose logs the blooms do not contradict is what is left where the pool
has no other, and where nobody serves receipts.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

import structlog

from paimon.application.event_listener.fetch.block_range import (
    Caught,
    ChainLog,
    Header,
    InconsistentAnswer,
    Range,
    UntrueAnswer,
    fetch_headers,
    fetch_stretch,
)
from paimon.application.event_listener.fetch.log_filter import Wanted, log_queries
from paimon.domain.chain.range_proof import Lie, ProofLevel
from paimon.domain.chain.tracked_contracts import Followed
from paimon.domain.kernel.chain import checksum, hex0x
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
_HEADERS_AT_ONCE: Final = 100
"""With the hashes of its transactions a full block's header is ten kilobytes and more."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How the range is proven, and the range with the logs that are so. `receipts_of` counts the blocks that were asked for."""

    level: ProofLevel
    fetched: Range
    receipts_of: int = 0
    caught: tuple[Caught, ...] = ()


Prove = Callable[[Rpc, Range, Followed], Awaitable[Proof]]


async def prove(rpc: Rpc, fetched: Range, followed: Followed) -> Proof:
    """Prove a range whose headers are all there by receipts, and where nobody serves those, as a stretch.

    `followed` is what is followed at the range's end. Another endpoint of the pool is asked where `rpc`, one endpoint of it,
    does not have receipts, or has wrong ones.

    Raises:
        UntrueAnswer: receipts are wrong and nobody has right ones.
        InconsistentAnswer: the node does not have the receipts yet, or two endpoints differ and receipts cannot settle it.
        RpcUnavailable, RpcError.
    """
    hiding = hiding_blocks(fetched.headers, wanted := Wanted.of(followed))
    try:
        proven, caught = await proven_logs(rpc, hiding, wanted)
    except ReceiptsNotServed as refusal:
        log.warning("proof.receipts_not_served", reason=str(refusal), block=fetched.last.number)
        return await prove_stretch(rpc, fetched, followed)
    lies = differing(rpc.endpoint, fetched.logs, proven)
    return Proof(ProofLevel.RECEIPTS, Range(fetched.headers, tuple(proven)), len(hiding), (*caught, *lies))


async def prove_stretch(rpc: Rpc, fetched: Range, followed: Followed) -> Proof:
    """Prove a stretch of the past, whose headers are not all there: another endpoint must give the same logs, and receipts
    settle where it does not or has no answer. Where the pool has no other, its logs must be within the blooms of their blocks.

    Raises as `prove`.
    """
    fetched, caught = _within_blooms(rpc, fetched)
    second = rpc.another_than(rpc.endpoint)
    if second is None:
        return Proof(ProofLevel.CHAINED, fetched, caught=caught)
    return await _by_agreement(rpc, second, fetched, followed, caught)


def hiding_blocks(headers: Iterable[Header], wanted: Wanted) -> list[Header]:
    """The blocks that may have wanted logs, as far as their blooms tell."""
    return [each for each in headers if wanted.may_be_in(each.stamp.number, each.logs_bloom)]


async def proven_logs(rpc: Rpc, blocks: Sequence[Header], wanted: Wanted) -> tuple[list[ChainLog], list[Caught]]:
    """The wanted logs of these blocks by their receipts, from the first endpoint that has right ones; who had wrong ones.

    Raises:
        ReceiptsNotServed: nobody serves receipts.
        UntrueAnswer: nobody has right ones.
        InconsistentAnswer, RpcUnavailable, RpcError.
    """
    untrue: list[UntrueAnswer] = []
    refusal: Exception | None = None
    for endpoint in (rpc, rpc.another_than(rpc.endpoint)):
        if endpoint is None:
            continue
        try:
            node = await endpoint.preferred()
            return await _checked_logs(node, blocks, wanted), [each.caught for each in untrue]
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
    first, last = fetched.first, fetched.last.number
    try:
        other = await second.at_height(last).preferred()
        others = await fetch_stretch(other, first, last, log_queries(followed, first, last))
    except (RpcUnavailable, RpcError, InconsistentAnswer) as error:
        log.warning("proof.no_second_opinion", reason=str(error), block=last)
        lie = (error.caught,) if isinstance(error, UntrueAnswer) else ()
        return await _by_receipts(rpc, fetched, followed, (*caught, *lie))
    numbers = {each.block.number for each in set(others.logs) ^ set(fetched.logs)}
    known, theirs = await _headers_with(rpc, fetched, numbers), await _headers_with(other, others, numbers)
    for number in sorted({last, *numbers}):
        # Nothing chains such a header to those before it: one endpoint alone could make it up, and receipts to go with it.
        if known[number].stamp != theirs[number].stamp:
            raise InconsistentAnswer(
                f"{rpc.endpoint} has block {known[number].stamp}, {other.endpoint} has {theirs[number].stamp}"
            )
    if not numbers:
        return Proof(ProofLevel.AGREED, fetched, caught=caught)
    disputed = [known[number] for number in sorted(numbers)]
    try:
        proven, lies = await proven_logs(rpc, disputed, Wanted.of(followed))
    except ReceiptsNotServed as refusal:
        raise InconsistentAnswer(
            f"{rpc.endpoint} and {other.endpoint} differ in {len(disputed)} blocks from {disputed[0].stamp} on, and neither"
            f" serves receipts to settle it: {refusal}"
        ) from refusal
    for endpoint, given in ((rpc.endpoint, fetched.logs), (other.endpoint, others.logs)):
        lies += differing(endpoint, [each for each in given if each.block.number in numbers], proven)
    undisputed = tuple(each for each in fetched.logs if each.block.number not in numbers)
    settled = Range(tuple(known[number] for number in sorted(known)), undisputed)
    return Proof(ProofLevel.AGREED, settled.with_logs(proven), len(disputed), (*caught, *lies))


async def _headers_with(rpc: Rpc, fetched: Range, numbers: Set[int]) -> dict[int, Header]:
    """The range's headers by number, those of these blocks among them."""
    known = {each.stamp.number: each for each in fetched.headers}
    return known | {each.stamp.number: each for each in await fetch_headers(rpc, sorted(numbers - known.keys()))}


async def _by_receipts(rpc: Rpc, fetched: Range, followed: Followed, caught: tuple[Caught, ...]) -> Proof:
    """What the receipts say of a stretch, for which every header is asked for after all; nothing more than the stretch's own
    where nobody serves them.
    """
    wanted, last = Wanted.of(followed), fetched.last.number
    headers: list[Header] = []
    proven: list[ChainLog] = []
    lies: list[Caught] = []
    receipts_of = 0
    for begin in range(fetched.first, last + 1, _HEADERS_AT_ONCE):
        page = await fetch_headers(rpc, range(begin, min(begin + _HEADERS_AT_ONCE, last + 1)))
        if headers and page[0].parent_hash != headers[-1].stamp.hash:
            raise InconsistentAnswer(f"block {page[0].stamp} does not follow {headers[-1].stamp}")
        hiding = hiding_blocks(page, wanted)
        try:
            logs, untrue = await proven_logs(rpc, hiding, wanted)
        except ReceiptsNotServed as refusal:
            log.warning("proof.receipts_not_served", reason=str(refusal), block=last)
            return Proof(ProofLevel.CHAINED, fetched, caught=caught)
        headers += [replace(each, transactions=()) for each in page]
        proven, lies, receipts_of = proven + logs, lies + untrue, receipts_of + len(hiding)
    lies += differing(rpc.endpoint, fetched.logs, proven)
    return Proof(ProofLevel.RECEIPTS, Range(tuple(headers), tuple(proven)), receipts_of, (*caught, *lies))


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
