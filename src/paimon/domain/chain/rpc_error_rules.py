"""Rules that classify JSON-RPC errors, over the messages of geth (BSC's node is one), Erigon, reth and anvil, and of the
providers Alchemy, QuickNode, Ankr, Chainstack, Infura, NodeReal and the public dataseeds.

Nodes agree on neither codes nor spelling. The message decides, together with the code or the method where one message
means two things; the first matching rule wins. An error that no rule matches is the node's own failure. What was requested
decides that, not the words: nothing that a caller says makes `eth_blockNumber` or a receipt fail. Only a method that
executes the caller's bytes can fail because of them, and only a plain revert or a plain validation error says so. For
`eth_getLogs` an unknown error also halves the range: providers change their messages, and half the range is a request with
the same answer. tests/unit/chain/test_rpc_error_rules.py names the source of each rule beside its example.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

GET_LOGS: Final = "eth_getLogs"
SEND: Final = "eth_sendRawTransaction"
EXECUTION_METHODS: Final = frozenset({"eth_call", "eth_estimateGas", SEND})
"""Methods that execute or check the caller's own bytes. Only these can fail because of the caller."""


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
    NODE_FAILURE = "node_failure"
    """An error that no rule matches, to a request that the caller cannot have spoiled."""
    LOGS_REFUSED = "logs_refused"
    """The same for `eth_getLogs`: the node fails, or says in new words that the range is too wide."""


class RetryAction(StrEnum):
    """What to do after an error."""

    SPLIT_RANGE = "split_range"
    SPLIT_BATCH = "split_batch"
    TRY_ANOTHER_ENDPOINT = "try_another_endpoint"
    """At once. Without another endpoint the error stands, and the caller retries in its next round."""
    RETRY = "retry"
    """Count it as a failure of the endpoint, use another one at once, and return to this one after a pause."""
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
    RpcErrorKind.NODE_FAILURE: RetryAction.RETRY,
    RpcErrorKind.LOGS_REFUSED: RetryAction.SPLIT_RANGE,
}


class ErrorRule(NamedTuple):
    """Match a message by `pattern`, and by `code` and `methods` where they are given."""

    kind: RpcErrorKind
    pattern: str
    code: int | None = None
    methods: frozenset[str] | None = None


_LOGS: Final = frozenset({GET_LOGS})
_CALLS: Final = EXECUTION_METHODS - {SEND}


ERROR_RULES: Final[tuple[ErrorRule, ...]] = (
    # the call itself; first, because a contract may revert with any text
    ErrorRule(RpcErrorKind.CALLER_ERROR, "", code=3, methods=EXECUTION_METHODS),
    ErrorRule(
        RpcErrorKind.CALLER_ERROR,
        r"revert|vm execution error|vm exception|invalid opcode|out of gas|invalid jump|stack (underflow|limit)"
        r"|write protection|return data out of bounds",
        methods=EXECUTION_METHODS,
    ),
    # a tag that this node does not serve, or not yet after its start; not a block that it has yet to see
    ErrorRule(RpcErrorKind.RESTRICTED, r"(safe|finalized|pending) block not found"),
    # a batch with too many requests
    ErrorRule(
        RpcErrorKind.BATCH_CAP,
        r"batch (request |response )?(is |was )?too (large|big|long)|batch of more than|maximum batch size"
        r"|requests in batch exceeds|batch size"
        r"|batch (request )?limit|too many (calls|requests) in (a |the |one )?batch",
    ),
    # an answer too large: the other calls of the batch make it so
    ErrorRule(
        RpcErrorKind.BATCH_CAP,
        r"response (size )?(is |was )?(too large|exceed)",
        methods=frozenset({"eth_getBlockReceipts", "eth_getTransactionReceipt", "eth_getBlockByNumber", *_CALLS}),
    ),
    # eth_getLogs: too many results first, since such a message may name a range as well
    ErrorRule(
        RpcErrorKind.TOO_MANY_RESULTS, r"response size exceeded|response size should not|response too large", methods=_LOGS
    ),
    ErrorRule(
        RpcErrorKind.TOO_MANY_RESULTS, r"returned more than \d+ results|exceeds max results|too many logs", methods=_LOGS
    ),
    ErrorRule(RpcErrorKind.TOO_MANY_RESULTS, r"logs matched by query exceeds", methods=_LOGS),
    ErrorRule(RpcErrorKind.LOGS_TIMEOUT, r"timed? ?out|deadline exceeded", methods=_LOGS),
    ErrorRule(RpcErrorKind.RANGE_CAP, r"", code=-32614),
    ErrorRule(
        RpcErrorKind.RANGE_CAP, r"block range (is )?(too|larger|bigger|limit|exceeds)|maximum block range", methods=_LOGS
    ),
    ErrorRule(RpcErrorKind.RANGE_CAP, r"max block range|up to an? [\d,.]+k? block range", methods=_LOGS),
    ErrorRule(
        RpcErrorKind.RANGE_CAP,
        r"limited to (a )?[\d,.]+k? |limit the query to at most|max is [\d,.]+k? blocks",
        methods=_LOGS,
    ),
    ErrorRule(
        RpcErrorKind.RANGE_CAP, r"range \d+ (exceeds|is bigger than)|blocks distance|requested too many blocks", methods=_LOGS
    ),
    # the public dataseeds switched eth_getLogs off and answer like a rate limit
    ErrorRule(RpcErrorKind.RESTRICTED, r"^limit exceeded$", code=-32005, methods=_LOGS),
    # the rate, and the monthly budget
    ErrorRule(RpcErrorKind.RESTRICTED, r"monthly capacity limit|authenticate your request|api usage limit"),
    ErrorRule(RpcErrorKind.RATE_LIMIT, "", code=429),
    ErrorRule(RpcErrorKind.RATE_LIMIT, r"compute units per second|request limit reached|credits limited|rps limit"),
    ErrorRule(RpcErrorKind.RATE_LIMIT, r"rate.?limit|too many (requests|connections)|^limit exceeded|request count exceeded"),
    ErrorRule(RpcErrorKind.RATE_LIMIT, r"request rate exceeded|slow down"),
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
    # a tag that this node does not know, which says nothing of its health
    ErrorRule(
        RpcErrorKind.RESTRICTED,
        r"invalid (argument|param|block)|hex string|block tag",
        code=-32602,
        methods=frozenset({"eth_getBlockByNumber", "eth_getFinalizedHeader"}),
    ),
    # the caller's bytes again: validation before anything is executed
    ErrorRule(RpcErrorKind.CALLER_ERROR, "", code=-32602, methods=EXECUTION_METHODS),
    ErrorRule(
        RpcErrorKind.CALLER_ERROR,
        r"gas required exceeds|insufficient (funds|balance)|intrinsic gas|nonce (is )?too|max fee per gas|gas price too low"
        r"|exceeds block gas limit|gas limit too high|invalid (argument|address|sender|signature|chain id)",
        methods=EXECUTION_METHODS,
    ),
    # what a node says of a transaction; domain/transaction/broadcast_result tells what it means
    ErrorRule(
        RpcErrorKind.CALLER_ERROR,
        r"known transaction|already (known|imported|exists)|existing tx|old nonce|nonce gap|replace (pending|existing)"
        r"|underpriced|fee too low|block base fee|below the minimum|pool is full|account limit|in-flight transaction limit"
        r"|type not supported|configured cap|oversized data",
        methods=frozenset({SEND}),
    ),
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
        return Diagnosis(RpcErrorKind.LOGS_REFUSED if method == GET_LOGS else RpcErrorKind.NODE_FAILURE)
    splits = RETRY_ACTIONS[rule.kind] is RetryAction.SPLIT_RANGE
    return Diagnosis(rule.kind, _blocks_named(rule.kind, message.lower()) if splits else None)


def match_rule(method: str, code: int, message: str) -> ErrorRule | None:
    """Return the first rule that matches; None when no rule does."""
    text = message.lower()
    for rule, pattern in zip(ERROR_RULES, _PATTERNS, strict=True):
        if rule.code in (None, code) and (rule.methods is None or method in rule.methods) and pattern.search(text):
            return rule
    return None


_BATCH_LIMIT: Final = re.compile(
    r"(?:limit(?: is| of)?|exceeds(?: the)?(?: limit)?(?: of)?|more than|maximum batch size|max(?:imum)?(?: is| of)?|at most"
    r"|up to|batch size)[ :=]*(\d+)"
)


def requests_named(text: str, requested: int) -> int | None:
    """Read from a refusal how many requests a batch may have. None: it names no number below what was requested."""
    named = (int(found[1]) for found in _BATCH_LIMIT.finditer(text.lower()) if len(found[1]) < 9)
    return next((number for number in named if 0 < number < requested), None)


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
