"""Rules that classify JSON-RPC errors, over the messages of geth (BSC's node is one), Erigon, reth and anvil, and of the
providers Alchemy, QuickNode, Ankr, Chainstack, Infura, NodeReal and the public dataseeds.

Nodes agree on neither codes nor spelling. The message decides, together with the code or the method where one message
means two things; the first matching rule wins. An error that no rule matches is the caller's: another node would answer
the same. For `eth_getLogs` such an error counts as too many results: providers change their messages, and half the range
is a request with the same answer. tests/unit/chain/test_rpc_error_rules.py names the source of each rule beside its
example.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

GET_LOGS: Final = "eth_getLogs"


class RpcErrorKind(StrEnum):
    """Kind of a JSON-RPC error."""

    CALLER_ERROR = "caller"
    """A revert or bad parameters: every node would answer the same."""
    RANGE_CAP = "range_cap"
    TOO_MANY_RESULTS = "too_many_results"
    LOGS_TIMEOUT = "logs_timeout"
    BATCH_CAP = "batch_cap"
    LAGGING = "lagging"
    STATE_PRUNED = "state_pruned"
    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    RESTRICTED = "restricted"
    """The method does not exist, or the plan does not include it."""


class RetryAction(StrEnum):
    """What to do after an error."""

    SPLIT_RANGE = "split_range"
    SPLIT_BATCH = "split_batch"
    TRY_ANOTHER_ENDPOINT = "try_another_endpoint"
    """At once. Without another endpoint the error stands, and the caller retries in its next round."""
    SLOW_DOWN = "slow_down"
    """Send fewer requests at a time, use another endpoint meanwhile, and return after a pause."""
    FAIL = "fail"


RETRY_ACTIONS: Final[dict[RpcErrorKind, RetryAction]] = {
    RpcErrorKind.CALLER_ERROR: RetryAction.FAIL,
    RpcErrorKind.RANGE_CAP: RetryAction.SPLIT_RANGE,
    RpcErrorKind.TOO_MANY_RESULTS: RetryAction.SPLIT_RANGE,
    RpcErrorKind.LOGS_TIMEOUT: RetryAction.SPLIT_RANGE,
    RpcErrorKind.BATCH_CAP: RetryAction.SPLIT_BATCH,
    RpcErrorKind.LAGGING: RetryAction.TRY_ANOTHER_ENDPOINT,
    RpcErrorKind.STATE_PRUNED: RetryAction.TRY_ANOTHER_ENDPOINT,
    RpcErrorKind.RATE_LIMIT: RetryAction.SLOW_DOWN,
    RpcErrorKind.TIMEOUT: RetryAction.SLOW_DOWN,
    RpcErrorKind.RESTRICTED: RetryAction.TRY_ANOTHER_ENDPOINT,
}


class ErrorRule(NamedTuple):
    """Match a message by `pattern`, and by `code` and `method` where they are given."""

    kind: RpcErrorKind
    pattern: str
    code: int | None = None
    method: str | None = None


ERROR_RULES: Final[tuple[ErrorRule, ...]] = (
    # the call itself; first, because a contract may revert with any text
    ErrorRule(RpcErrorKind.CALLER_ERROR, "", code=3),
    ErrorRule(RpcErrorKind.CALLER_ERROR, r"revert|vm execution error|vm exception|invalid opcode|out of gas"),
    # a tag this node does not serve, not a block it has yet to see
    ErrorRule(RpcErrorKind.CALLER_ERROR, r"(safe|finalized|pending) block not found"),
    # a batch with too many requests
    ErrorRule(
        RpcErrorKind.BATCH_CAP, r"batch too large|batch of more than|maximum batch size|requests in batch exceeds|batch size"
    ),
    # eth_getLogs: too many results first, since such a message may name a range as well
    ErrorRule(
        RpcErrorKind.TOO_MANY_RESULTS, r"response size exceeded|response size should not|response too large", method=GET_LOGS
    ),
    ErrorRule(
        RpcErrorKind.TOO_MANY_RESULTS, r"returned more than \d+ results|exceeds max results|too many logs", method=GET_LOGS
    ),
    ErrorRule(RpcErrorKind.TOO_MANY_RESULTS, r"logs matched by query exceeds", method=GET_LOGS),
    ErrorRule(RpcErrorKind.LOGS_TIMEOUT, r"timed? ?out|deadline exceeded", method=GET_LOGS),
    ErrorRule(RpcErrorKind.RANGE_CAP, r"", code=-32614),
    ErrorRule(
        RpcErrorKind.RANGE_CAP, r"block range (is )?(too|larger|bigger|limit|exceeds)|maximum block range", method=GET_LOGS
    ),
    ErrorRule(RpcErrorKind.RANGE_CAP, r"max block range|up to an? [\d,.]+k? block range", method=GET_LOGS),
    ErrorRule(
        RpcErrorKind.RANGE_CAP,
        r"limited to (a )?[\d,.]+k? |limit the query to at most|max is [\d,.]+k? blocks",
        method=GET_LOGS,
    ),
    ErrorRule(
        RpcErrorKind.RANGE_CAP, r"range \d+ (exceeds|is bigger than)|blocks distance|requested too many blocks", method=GET_LOGS
    ),
    # the public dataseeds switched eth_getLogs off and answer like a rate limit
    ErrorRule(RpcErrorKind.RESTRICTED, r"^limit exceeded$", code=-32005, method=GET_LOGS),
    # the rate, and the monthly budget
    ErrorRule(RpcErrorKind.RESTRICTED, r"monthly capacity limit|authenticate your request|api usage limit"),
    ErrorRule(RpcErrorKind.RATE_LIMIT, "", code=429),
    ErrorRule(RpcErrorKind.RATE_LIMIT, r"compute units per second|request limit reached|credits limited|rps limit"),
    ErrorRule(RpcErrorKind.RATE_LIMIT, r"rate.?limit|too many requests|^limit exceeded|request count exceeded"),
    # state that only an archive node has
    ErrorRule(RpcErrorKind.STATE_PRUNED, r"missing trie node|historical state|due to pruning|is pruned|pruned history"),
    ErrorRule(RpcErrorKind.STATE_PRUNED, r"no state available|state .*(is )?not available|world state unavailable"),
    # blocks this node has not seen yet, or blocks of a fork it does not follow
    ErrorRule(
        RpcErrorKind.LAGGING, r"header not found|header for hash not found|block not found|unknown block|could not find block"
    ),
    ErrorRule(RpcErrorKind.LAGGING, r"beyond current head|invalid block range|blockoutofrange"),
    # methods
    ErrorRule(RpcErrorKind.RESTRICTED, "", code=-32601),
    ErrorRule(RpcErrorKind.RESTRICTED, "", code=-32612),
    ErrorRule(RpcErrorKind.RESTRICTED, "", code=-32613),
    ErrorRule(
        RpcErrorKind.RESTRICTED, r"not whitelisted|current plan|unsupported method|method .*(not|un)[- ]?(supported|available)"
    ),
    ErrorRule(RpcErrorKind.TIMEOUT, r"timed? ?out|deadline exceeded|execution aborted"),
    ErrorRule(RpcErrorKind.TOO_MANY_RESULTS, "", method=GET_LOGS),
)

_PATTERNS: Final = tuple(re.compile(rule.pattern) for rule in ERROR_RULES)

_BETWEEN: Final = re.compile(r"\[0x([0-9a-f]+), ?0x([0-9a-f]+)\]")
_BETWEEN_DECIMAL: Final = re.compile(r"with the range (\d+)-(\d+)")
_AT_MOST: Final = re.compile(
    r"(?:range:|range =|max block range|limit of|limited to a|limited to|up to an?|at most|max is|set to|distance:|filter:"
    r"|range limit|maximum) ?(\d[\d,.]*)(k?)"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The kind of an error, with the range the node accepts where it names one."""

    kind: RpcErrorKind
    blocks: int | None = None
    """Number of blocks that the node says it accepts."""

    @property
    def retry_action(self) -> RetryAction:
        return RETRY_ACTIONS[self.kind]


def diagnose(method: str, code: int, message: str) -> Diagnosis:
    """Classify a JSON-RPC error to this method."""
    rule = match_rule(method, code, message)
    if rule is None:
        return Diagnosis(RpcErrorKind.CALLER_ERROR)
    splits = RETRY_ACTIONS[rule.kind] is RetryAction.SPLIT_RANGE
    return Diagnosis(rule.kind, _blocks_named(rule.kind, message.lower()) if splits else None)


def match_rule(method: str, code: int, message: str) -> ErrorRule | None:
    """Return the first rule that matches; None when no rule does."""
    text = message.lower()
    for rule, pattern in zip(ERROR_RULES, _PATTERNS, strict=True):
        if rule.code in (None, code) and rule.method in (None, method) and pattern.search(text):
            return rule
    return None


def _blocks_named(kind: RpcErrorKind, text: str) -> int | None:
    """Read the accepted number of blocks from the message. A range includes both its ends, so 5 to 5 is one block."""
    if found := _BETWEEN.search(text):
        return max(int(found[2], 16) - int(found[1], 16) + 1, 1)
    if found := _BETWEEN_DECIMAL.search(text):
        return max(int(found[2]) - int(found[1]) + 1, 1)
    if kind is RpcErrorKind.RANGE_CAP and (found := _AT_MOST.search(text)):
        digits = found[1].rstrip(",.").replace(",", "").replace(".", "")
        return max(int(digits) * (1_000 if found[2] else 1), 1)
    return None
