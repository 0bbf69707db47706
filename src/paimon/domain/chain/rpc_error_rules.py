"""What a node's error answer means for whoever asked. One table over the messages of geth (BSC's node is one), Erigon, reth,
anvil, and of the providers in front of them: Alchemy, QuickNode, Ankr, Chainstack, Infura, NodeReal and the public dataseeds.

Nodes agree on neither codes nor spelling, so the message decides, with the code or the method beside it where one message
means two things; the first row that matches wins. What no row knows is the caller's: asking another node would not help. Of
`eth_getLogs` it is taken for too much at once: providers change their words, and half of it is a question with the same answer.
Where each row was seen stands beside its example in tests/unit/chain/test_rpc_error_rules.py.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

GET_LOGS: Final = "eth_getLogs"


class NodeFault(StrEnum):
    CALLER = "caller"
    """A revert, bad parameters: every node would say the same."""
    RANGE_CAP = "range_cap"
    TOO_MANY_RESULTS = "too_many_results"
    LOGS_TIMEOUT = "logs_timeout"
    BATCH_CAP = "batch_cap"
    LAGGING = "lagging"
    STATE_PRUNED = "state_pruned"
    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    RESTRICTED = "restricted"
    """The method is not there, or not in this plan."""


class Remedy(StrEnum):
    SPLIT_RANGE = "split_range"
    SPLIT_BATCH = "split_batch"
    ASK_ANOTHER = "ask_another"
    """At once; where there is no other, the answer stands, and the caller's next round is the wait."""
    SLOW_DOWN = "slow_down"
    """Fewer at a time, another meanwhile, the same one again after a pause."""
    GIVE_UP = "give_up"


REMEDIES: Final[dict[NodeFault, Remedy]] = {
    NodeFault.CALLER: Remedy.GIVE_UP,
    NodeFault.RANGE_CAP: Remedy.SPLIT_RANGE,
    NodeFault.TOO_MANY_RESULTS: Remedy.SPLIT_RANGE,
    NodeFault.LOGS_TIMEOUT: Remedy.SPLIT_RANGE,
    NodeFault.BATCH_CAP: Remedy.SPLIT_BATCH,
    NodeFault.LAGGING: Remedy.ASK_ANOTHER,
    NodeFault.STATE_PRUNED: Remedy.ASK_ANOTHER,
    NodeFault.RATE_LIMIT: Remedy.SLOW_DOWN,
    NodeFault.TIMEOUT: Remedy.SLOW_DOWN,
    NodeFault.RESTRICTED: Remedy.ASK_ANOTHER,
}


class Row(NamedTuple):
    """A message that matches `words`, from this code and method where they are given, is this fault."""

    fault: NodeFault
    words: str
    code: int | None = None
    method: str | None = None


TABLE: Final[tuple[Row, ...]] = (
    # the call itself; first, because a contract may revert with any words
    Row(NodeFault.CALLER, "", code=3),
    Row(NodeFault.CALLER, r"revert|vm execution error|vm exception|invalid opcode|out of gas"),
    # a tag this node does not serve, not a block it has yet to see
    Row(NodeFault.CALLER, r"(safe|finalized|pending) block not found"),
    # a batch of more requests than are taken
    Row(NodeFault.BATCH_CAP, r"batch too large|batch of more than|maximum batch size|requests in batch exceeds|batch size"),
    # eth_getLogs: first what found too much, for such a message may name a range as well
    Row(NodeFault.TOO_MANY_RESULTS, r"response size exceeded|response size should not|response too large", method=GET_LOGS),
    Row(NodeFault.TOO_MANY_RESULTS, r"returned more than \d+ results|exceeds max results|too many logs", method=GET_LOGS),
    Row(NodeFault.TOO_MANY_RESULTS, r"logs matched by query exceeds", method=GET_LOGS),
    Row(NodeFault.LOGS_TIMEOUT, r"timed? ?out|deadline exceeded", method=GET_LOGS),
    Row(NodeFault.RANGE_CAP, r"", code=-32614),
    Row(NodeFault.RANGE_CAP, r"block range (is )?(too|larger|bigger|limit|exceeds)|maximum block range", method=GET_LOGS),
    Row(NodeFault.RANGE_CAP, r"max block range|up to an? [\d,.]+k? block range", method=GET_LOGS),
    Row(NodeFault.RANGE_CAP, r"limited to (a )?[\d,.]+k? |limit the query to at most|max is [\d,.]+k? blocks", method=GET_LOGS),
    Row(NodeFault.RANGE_CAP, r"range \d+ (exceeds|is bigger than)|blocks distance|requested too many blocks", method=GET_LOGS),
    # the public dataseeds switched eth_getLogs off, in the words of a rate limit
    Row(NodeFault.RESTRICTED, r"^limit exceeded$", code=-32005, method=GET_LOGS),
    # the rate, and the budget of a month
    Row(NodeFault.RESTRICTED, r"monthly capacity limit|authenticate your request|api usage limit"),
    Row(NodeFault.RATE_LIMIT, "", code=429),
    Row(NodeFault.RATE_LIMIT, r"compute units per second|request limit reached|credits limited|rps limit"),
    Row(NodeFault.RATE_LIMIT, r"rate.?limit|too many requests|^limit exceeded|request count exceeded"),
    # state that only an archive node has
    Row(NodeFault.STATE_PRUNED, r"missing trie node|historical state|due to pruning|is pruned|pruned history"),
    Row(NodeFault.STATE_PRUNED, r"no state available|state .*(is )?not available|world state unavailable"),
    # blocks this node has not seen yet, or that are of a fork it does not follow
    Row(NodeFault.LAGGING, r"header not found|header for hash not found|block not found|unknown block|could not find block"),
    Row(NodeFault.LAGGING, r"beyond current head|invalid block range|blockoutofrange"),
    # methods
    Row(NodeFault.RESTRICTED, "", code=-32601),
    Row(NodeFault.RESTRICTED, "", code=-32612),
    Row(NodeFault.RESTRICTED, "", code=-32613),
    Row(NodeFault.RESTRICTED, r"not whitelisted|current plan|unsupported method|method .*(not|un)[- ]?(supported|available)"),
    Row(NodeFault.TIMEOUT, r"timed? ?out|deadline exceeded|execution aborted"),
    Row(NodeFault.TOO_MANY_RESULTS, "", method=GET_LOGS),
)

_PATTERNS: Final = tuple(re.compile(row.words) for row in TABLE)

_BETWEEN: Final = re.compile(r"\[0x([0-9a-f]+), ?0x([0-9a-f]+)\]")
_BETWEEN_DECIMAL: Final = re.compile(r"with the range (\d+)-(\d+)")
_AT_MOST: Final = re.compile(
    r"(?:range:|range =|max block range|limit of|limited to a|limited to|up to an?|at most|max is|set to|distance:|filter:"
    r"|range limit|maximum) ?(\d[\d,.]*)(k?)"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    fault: NodeFault
    blocks: int | None = None
    """How many blocks the node says it would take, where it does."""

    @property
    def remedy(self) -> Remedy:
        return REMEDIES[self.fault]


def diagnose(method: str, code: int, message: str) -> Diagnosis:
    """The meaning of a JSON-RPC error to this method."""
    row = row_of(method, code, message)
    if row is None:
        return Diagnosis(NodeFault.CALLER)
    splits = REMEDIES[row.fault] is Remedy.SPLIT_RANGE
    return Diagnosis(row.fault, _blocks_named(row.fault, message.lower()) if splits else None)


def row_of(method: str, code: int, message: str) -> Row | None:
    """The table's first row that says this; None where no row does."""
    words = message.lower()
    for row, pattern in zip(TABLE, _PATTERNS, strict=True):
        if row.code in (None, code) and row.method in (None, method) and pattern.search(words):
            return row
    return None


def _blocks_named(fault: NodeFault, words: str) -> int | None:
    """Both ends of a range are asked for, so a range from 5 to 5 is one block."""
    if found := _BETWEEN.search(words):
        return max(int(found[2], 16) - int(found[1], 16) + 1, 1)
    if found := _BETWEEN_DECIMAL.search(words):
        return max(int(found[2]) - int(found[1]) + 1, 1)
    if fault is NodeFault.RANGE_CAP and (found := _AT_MOST.search(words)):
        digits = found[1].rstrip(",.").replace(",", "").replace(".", "")
        return max(int(digits) * (1_000 if found[2] else 1), 1)
    return None
