"""Messages that nodes and providers really send, each with its source and its meaning."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.chain.rpc_error_rules import (
    ERROR_RULES,
    GET_LOGS,
    Diagnosis,
    RetryAction,
    RpcErrorKind,
    diagnose,
    match_rule,
    requests_named,
)
from paimon.domain.transaction.broadcast_result import _RULES as BROADCAST_RULES
from paimon.domain.transaction.broadcast_result import BroadcastResult

pytestmark = pytest.mark.unit

CALL = "eth_call"
SEND = "eth_sendRawTransaction"


class Example(NamedTuple):
    """One message; `source` is a public thread, `owner/repository#number`, or a file there."""

    provider: str
    method: str
    code: int
    message: str
    kind: RpcErrorKind
    source: str
    blocks: int | None = None


EXAMPLES = (
    # geth, and with it BSC's node
    Example(
        "geth",
        CALL,
        3,
        "execution reverted: rate limit exceeded",
        RpcErrorKind.CALLER_ERROR,
        "ethereum/go-ethereum rpc errors, code 3",
    ),
    Example(
        "geth", CALL, -32000, "execution reverted", RpcErrorKind.CALLER_ERROR, "erpc/erpc architecture/evm/error_normalizer.go"
    ),
    Example(
        "parity",
        CALL,
        -32015,
        "VM execution error.",
        RpcErrorKind.CALLER_ERROR,
        "erpc/erpc architecture/evm/error_normalizer.go",
    ),
    Example(
        "geth",
        CALL,
        -32000,
        "gas required exceeds allowance (50000000)",
        RpcErrorKind.CALLER_ERROR,
        "anvil and geth, in our own tests",
    ),
    Example(
        "geth",
        "eth_getBlockByNumber",
        -32000,
        "finalized block not found",
        RpcErrorKind.RESTRICTED,
        "bnb-chain/bsc eth/api_backend.go",
    ),
    Example("geth-bsc", CALL, -32000, "header not found", RpcErrorKind.LAGGING, "bnb-chain/bsc#1054"),
    Example("geth", CALL, -32000, "header for hash not found", RpcErrorKind.LAGGING, "bnb-chain/bsc eth/api_backend.go"),
    Example("geth", GET_LOGS, -32000, "unknown block", RpcErrorKind.LAGGING, "bnb-chain/bsc eth/filters/filter.go"),
    Example(
        "geth",
        GET_LOGS,
        -32602,
        "block range extends beyond current head block",
        RpcErrorKind.LAGGING,
        "ethereum/execution-apis tests/eth_getLogs/filter-error-future-block-range.io",
    ),
    Example("geth, reth", GET_LOGS, -32602, "invalid block range params", RpcErrorKind.LAGGING, "paradigmxyz/reth#26891"),
    Example(
        "geth-bsc",
        CALL,
        -32000,
        "missing trie node dd8f963b36947dc129b720bf69ff248b610931dfe51ce863507014b84e940b11 (path )",
        RpcErrorKind.STATE_PRUNED,
        "bnb-chain/bsc#78",
    ),
    Example(
        "geth-bsc",
        "debug_traceBlockByNumber",
        -32000,
        "required historical state unavailable (reexec=128)",
        RpcErrorKind.STATE_PRUNED,
        "bnb-chain/bsc#1880",
    ),
    Example(
        "geth",
        CALL,
        -32000,
        "state 0xdd8f963b36947dc129b720bf69ff248b610931dfe51ce863507014b84e940b11 is not available",
        RpcErrorKind.STATE_PRUNED,
        "ethereum/go-ethereum triedb/pathdb/reader.go",
    ),
    Example(
        "nethermind",
        CALL,
        -32002,
        "No state available for block 0x3f9e020290502d1d41f4b5519e7d456f0935dea980ec310935206cac8239117e",
        RpcErrorKind.STATE_PRUNED,
        "yearn/yearn-exporter yearn/utils.py",
    ),
    Example("geth", GET_LOGS, -32002, "request timed out", RpcErrorKind.LOGS_TIMEOUT, "ethereum/go-ethereum#27688"),
    Example("geth", CALL, -32002, "request timed out", RpcErrorKind.TIMEOUT, "ethereum/go-ethereum#27688"),
    Example("geth", CALL, -32600, "batch too large", RpcErrorKind.BATCH_CAP, "base/node#234"),
    Example(
        "geth",
        "eth_getFinalizedHeader",
        -32601,
        "the method eth_getFinalizedHeader does not exist/is not available",
        RpcErrorKind.RESTRICTED,
        "chainstack/dev-portal#628 (code), geth rpc/errors.go (words)",
    ),
    Example(
        "geth-bsc",
        GET_LOGS,
        -32000,
        "exceed maximum block range: 5000",
        RpcErrorKind.RANGE_CAP,
        "bnb-chain/bsc eth/filters/filter.go",
        5_000,
    ),
    # the public dataseeds and NodeReal
    Example("dataseed", GET_LOGS, -32005, "limit exceeded", RpcErrorKind.RESTRICTED, "bnb-chain/bsc#1215"),
    Example("dataseed", CALL, -32005, "limit exceeded", RpcErrorKind.RATE_LIMIT, "bnb-chain/docs-site#621"),
    Example(
        "nodereal", GET_LOGS, -32000, "exceed maximum block range: 50000", RpcErrorKind.RANGE_CAP, "latticexyz/mud#2078", 50_000
    ),
    Example(
        "nodereal",
        CALL,
        -32005,
        "You have reached the maximum API usage limit of public. If you need higher throughput, please check out …",
        RpcErrorKind.RESTRICTED,
        "bnb-chain/bnb-chain.github.io#38",
    ),
    # Erigon
    Example(
        "erigon",
        GET_LOGS,
        -32000,
        "query block range exceeds server limit, narrow your filter: 1000",
        RpcErrorKind.RANGE_CAP,
        "erigontech/erigon#20784",
        1_000,
    ),
    Example(
        "erigon",
        GET_LOGS,
        -32000,
        "query returns too many logs, narrow your filter: 20000",
        RpcErrorKind.TOO_MANY_RESULTS,
        "trezor/blockbook#1692",
    ),
    Example("besu", CALL, -32000, "Block not found", RpcErrorKind.LAGGING, "erigontech/erigon#12850"),
    Example(
        "erigon",
        CALL,
        -32000,
        "old data not available due to pruning: requested block 1",
        RpcErrorKind.STATE_PRUNED,
        "erigontech/erigon HistoryReaderV3 (PrunedError)",
    ),
    # reth and anvil
    Example(
        "reth",
        GET_LOGS,
        -32602,
        "query exceeds max block range 100000",
        RpcErrorKind.RANGE_CAP,
        "paradigmxyz/reth#8558",
        100_000,
    ),
    Example(
        "reth",
        GET_LOGS,
        -32602,
        "query exceeds max results 20000, retry with the range 23879634-23879696",
        RpcErrorKind.TOO_MANY_RESULTS,
        "ponder-sh/ponder packages/utils/src/getLogsRetryHelper.ts",
        63,
    ),
    Example(
        "reth",
        "eth_getBalance",
        -32603,
        "state at block #12369623 is pruned",
        RpcErrorKind.STATE_PRUNED,
        "paradigmxyz/reth#21122",
    ),
    Example(
        "anvil",
        CALL,
        -32602,
        "BlockOutOfRangeError: block height is 94079 but requested was 94080",
        RpcErrorKind.LAGGING,
        "blockscout/blockscout#11460",
    ),
    # Alchemy
    Example(
        "alchemy",
        GET_LOGS,
        -32600,
        "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range should"
        " work: [0x123c9b2, 0x123cba5]",
        RpcErrorKind.RANGE_CAP,
        "BobTheBuidler/dank_mids#772",
        500,
    ),
    Example(
        "alchemy",
        GET_LOGS,
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response"
        " size, or you can request any block range with a cap of 10K logs in the response. Based on your parameters and the"
        " response size limit, this block range should work: [0x0, 0x87fe9]",
        RpcErrorKind.TOO_MANY_RESULTS,
        "ethereum/go-ethereum#25343",
        0x87FEA,
    ),
    Example(
        "alchemy",
        GET_LOGS,
        -32000,
        "Query timeout exceeded. Consider reducing your block range. Based on your parameters and the response size limit, this"
        " block range should work: [0x42b950f, 0x435784f]",
        RpcErrorKind.LOGS_TIMEOUT,
        "nimiq/wallet#275",
        648_001,
    ),
    Example(
        "alchemy",
        CALL,
        429,
        "Your app has exceeded its compute units per second capacity. If you have retries enabled, you can safely ignore this"
        " message. If not, check out https://docs.alchemy.com/reference/throughput",
        RpcErrorKind.RATE_LIMIT,
        "gitcoinco/grants-stack-indexer#156",
    ),
    Example(
        "alchemy",
        CALL,
        -32000,
        "Your app has exceeded its compute units per second capacity.",
        RpcErrorKind.RATE_LIMIT,
        "LimeChain/hashport-validator#473",
    ),
    Example(
        "alchemy",
        CALL,
        -32000,
        "Monthly capacity limit exceeded. Visit https://dashboard.alchemyapi.io/settings/billing to upgrade",
        RpcErrorKind.RESTRICTED,
        "a16z/zkdocs#9",
    ),
    # QuickNode
    Example(
        "quicknode",
        GET_LOGS,
        -32614,
        "eth_getLogs is limited to a 10,000 range",
        RpcErrorKind.RANGE_CAP,
        "eternalsafe/wallet#57",
        10_000,
    ),
    Example(
        "blockpi",
        GET_LOGS,
        -32602,
        "eth_getLogs is limited to 1024 block range",
        RpcErrorKind.RANGE_CAP,
        "ponder-sh/ponder packages/utils/src/getLogsRetryHelper.ts",
        1_024,
    ),
    Example(
        "quicknode",
        CALL,
        -32007,
        "50/second request limit reached - reduce calls per second or upgrade your account at quicknode.com",
        RpcErrorKind.RATE_LIMIT,
        "foundry-rs/foundry#4894",
    ),
    Example("quicknode", CALL, -32012, "credits limited to 6000/sec", RpcErrorKind.RATE_LIMIT, "latticexyz/mud#1522"),
    Example("quicknode", "debug_traceCall", -32612, "", RpcErrorKind.RESTRICTED, "erpc/erpc thirdparty/quicknode.go"),
    Example("quicknode", "debug_traceCall", -32613, "", RpcErrorKind.RESTRICTED, "erpc/erpc thirdparty/quicknode.go"),
    # Ankr
    Example(
        "ankr", GET_LOGS, -32600, "block range is too wide", RpcErrorKind.RANGE_CAP, "ponder-sh/ponder getLogsRetryHelper.ts"
    ),
    Example(
        "ankr",
        GET_LOGS,
        -32602,
        "maximum [from, to] blocks distance: 10000",
        RpcErrorKind.RANGE_CAP,
        "ponder-sh/ponder#1940",
        10_000,
    ),
    Example(
        "ankr",
        CALL,
        -32000,
        "Unauthorized: You must authenticate your request with an API key. Create an account on …",
        RpcErrorKind.RESTRICTED,
        "BitteProtocol/near-ca#173",
    ),
    # Chainstack
    Example(
        "chainstack",
        GET_LOGS,
        -32602,
        "Block range limit exceeded. See more details at https://docs.chainstack.com/docs/limits#evm-range-limits.",
        RpcErrorKind.RANGE_CAP,
        "ponder-sh/ponder packages/utils/src/getLogsRetryHelper.ts",
    ),
    Example(
        "chainstack",
        GET_LOGS,
        -32000,
        "logs matched by query exceeds limit of 10000",
        RpcErrorKind.TOO_MANY_RESULTS,
        "ponder-sh/ponder packages/utils/src/getLogsRetryHelper.ts",
    ),
    Example(
        "chainstack",
        CALL,
        -32005,
        "You've exceeded the RPS limit available on the current plan.",
        RpcErrorKind.RATE_LIMIT,
        "BobTheBuidler/dank_mids (_CHAINSTACK_429_ERR_MSG)",
    ),
    # Infura and others that speak alike
    Example(
        "infura", GET_LOGS, -32602, "range 1000000 exceeds limit of 10000", RpcErrorKind.RANGE_CAP, "INFURA/infura#237", 10_000
    ),
    Example(
        "infura",
        GET_LOGS,
        -32005,
        "query returned more than 10000 results. Try with this block range [0x1, 0x64].",
        RpcErrorKind.TOO_MANY_RESULTS,
        "ponder-sh/ponder packages/utils/src/getLogsRetryHelper.ts",
        100,
    ),
    Example(
        "infura",
        CALL,
        -32005,
        "daily request count exceeded, request rate limited",
        RpcErrorKind.RATE_LIMIT,
        "alloy-rs/alloy crates/json-rpc/src/response/error.rs",
    ),
    Example("tenderly", CALL, -32005, "rate limit exceeded", RpcErrorKind.RATE_LIMIT, "fluencelabs/dev-rewards#20"),
    Example(
        "1rpc",
        GET_LOGS,
        -32000,
        "response size should not greater than 10000000 bytes",
        RpcErrorKind.TOO_MANY_RESULTS,
        "ponder-sh/ponder packages/utils/src/getLogsRetryHelper.ts",
    ),
    Example(
        "nethermind-like", CALL, -32600, "Exceeded maximum batch size 100", RpcErrorKind.BATCH_CAP, "AcalaNetwork/bodhi.js#383"
    ),
    Example(
        "any",
        CALL,
        -32000,
        "method is not whitelisted",
        RpcErrorKind.RESTRICTED,
        "erpc/erpc architecture/evm/error_normalizer.go",
    ),
    # ours
    Example(
        "any",
        CALL,
        -32602,
        "invalid argument 0: hex string has length 38, want 40",
        RpcErrorKind.CALLER_ERROR,
        "geth, bad parameters",
    ),
    Example("any", CALL, -32000, "a message of no known node", RpcErrorKind.NODE_FAILURE, "matches no rule"),
    Example("any", SEND, -32000, "a message of no known node", RpcErrorKind.NODE_FAILURE, "matches no rule"),
    Example("any", GET_LOGS, -32000, "a message of no known node", RpcErrorKind.LOGS_REFUSED, "matches no rule"),
    Example(
        "proxyd",
        "eth_blockNumber",
        -32011,
        "no backend is currently healthy to serve traffic",
        RpcErrorKind.NODE_FAILURE,
        "ethereum-optimism/infra proxyd",
    ),
    Example("any", "eth_chainId", -32603, "Internal error", RpcErrorKind.NODE_FAILURE, "JSON-RPC 2.0, section 5.1"),
    Example("drpc", CALL, 19, "Temporary internal error. Please retry", RpcErrorKind.NODE_FAILURE, "seen in use"),
    Example(
        "geth", "eth_getBalance", -32000, "leveldb: closed", RpcErrorKind.NODE_FAILURE, "syndtr/goleveldb leveldb/errors.go"
    ),
    Example("infura", CALL, -32005, "project ID request rate exceeded", RpcErrorKind.RATE_LIMIT, "Infura's own documents"),
    Example("any", CALL, -32000, "Too many connections. Please slow down", RpcErrorKind.RATE_LIMIT, "seen in use"),
    Example(
        "erigon",
        "eth_getBlockReceipts",
        -32000,
        "getReceipts error: gas limit reached",
        RpcErrorKind.NODE_FAILURE,
        "erigontech/erigon, seen in use",
    ),
    Example(
        "any",
        "eth_getBlockReceipts",
        -32000,
        "transaction and receipt count mismatch, tx count = 122, receipts count = 121",
        RpcErrorKind.NODE_FAILURE,
        "seen in use",
    ),
    Example(
        "erigon",
        "eth_getBlockByNumber",
        -32000,
        "batch limit 100 exceeded (can increase by --rpc.batch.limit). Requested batch of size: 200",
        RpcErrorKind.BATCH_CAP,
        "erigontech/erigon, its default",
    ),
    Example("reth", CALL, -32010, "The batch request was too large", RpcErrorKind.BATCH_CAP, "paritytech/jsonrpsee"),
    Example("quicknode", CALL, -32007, "batch limit exceeded", RpcErrorKind.BATCH_CAP, "seen in use"),
    Example("any", "eth_getBlockReceipts", -32003, "response too large", RpcErrorKind.BATCH_CAP, "geth rpc/errors.go"),
    Example(
        "any",
        "eth_getBlockReceipts",
        -32011,
        "The batch response was too large",
        RpcErrorKind.BATCH_CAP,
        "paritytech/jsonrpsee",
    ),
    Example(
        "geth",
        "eth_getBlockByNumber",
        -32602,
        "invalid argument 0: hex string without 0x prefix",
        RpcErrorKind.RESTRICTED,
        "geth rpc/types.go, for a tag that it does not know",
    ),
    Example(
        "geth", CALL, -32000, "invalid jump destination", RpcErrorKind.CALLER_ERROR, "ethereum/go-ethereum core/vm/errors.go"
    ),
    Example(
        "geth", SEND, -32000, "account limit exceeded", RpcErrorKind.CALLER_ERROR, "domain/transaction/broadcast_result.py"
    ),
    Example(
        "geth",
        SEND,
        -32000,
        "nonce too low: next nonce 5, tx nonce 4",
        RpcErrorKind.CALLER_ERROR,
        "domain/transaction/broadcast_result.py",
    ),
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.provider}: {example.message[:40]}")
def test_provider_messages_are_classified(example: Example) -> None:
    assert diagnose(example.method, example.code, example.message) == Diagnosis(example.kind, example.blocks)


def test_every_error_rule_has_an_example() -> None:
    """A rule without an example has no source, or can never match."""
    assert set(ERROR_RULES) == {match_rule(example.method, example.code, example.message) for example in EXAMPLES} - {None}


@given(st.sampled_from([GET_LOGS, CALL]), st.integers(-40_000, 500), st.text(max_size=80))
def test_any_error_has_retry_action_and_positive_range(method: str, code: int, message: str) -> None:
    found = diagnose(method, code, message)
    assert found.blocks is None or (found.blocks >= 1 and found.retry_action is RetryAction.SPLIT_RANGE)


@given(st.sampled_from(EXAMPLES))
def test_revert_is_caller_error_for_any_message(example: Example) -> None:
    assert diagnose(CALL, 3, f"execution reverted: {example.message}").retry_action is RetryAction.FAIL
    assert diagnose(CALL, -32000, f"execution reverted: {example.message}").retry_action is RetryAction.FAIL


# Words, codes and shapes that no table knows: what was requested decides.

CHAIN_METHODS = (
    "eth_blockNumber",
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getBlockReceipts",
    "eth_getTransactionReceipt",
    "eth_getTransactionCount",
    "eth_getBalance",
    "eth_gasPrice",
    GET_LOGS,
)
CODES = st.sampled_from([3, 429, -32000, -32602, -32015]) | st.integers(-(2**40), 2**40)
KNOWN_WORDS = [
    "no backend",
    "execution reverted:",
    "closed",
    "vm exception",
    "nonce too low",
    "out of gas",
    "safe block not found",
]
WORDS = st.text(max_size=60) | st.lists(st.sampled_from(KNOWN_WORDS)).map(" ".join)


@given(st.sampled_from(CHAIN_METHODS), CODES, WORDS)
def test_no_error_of_a_chain_read_is_the_callers_fault(method: str, code: int, message: str) -> None:
    assert diagnose(method, code, message).retry_action is not RetryAction.FAIL


@given(st.sampled_from([CALL, "eth_estimateGas", SEND]), st.integers(-(2**40), 2**40), st.text("bcjqwxyz ", max_size=60))
def test_unknown_error_of_a_call_is_the_nodes_failure(method: str, code: int, message: str) -> None:
    rule = match_rule(method, code, message)
    assert rule is not None or diagnose(method, code, message).kind is RpcErrorKind.NODE_FAILURE


@pytest.mark.parametrize(("pattern", "result"), BROADCAST_RULES)
def test_every_known_answer_to_a_broadcast_stands(pattern: str, result: BroadcastResult) -> None:
    """Another endpoint would answer the same about the same bytes, or the sender knows what to do."""
    assert diagnose(SEND, -32000, f"{pattern}: 1").retry_action is RetryAction.FAIL


@given(st.integers(1, 2_000), st.integers(2, 2_000))
def test_batch_limit_in_a_refusal_is_read(limit: int, requested: int) -> None:
    for text in (
        f"batch limit {limit} exceeded (can increase by --rpc.batch.limit). Requested batch of size: {requested}",
        f"Exceeded maximum batch size {limit}",
        f"The batch request was too large Exceeded max limit of {limit}",
        f"batch of more than {limit} requests",
    ):
        assert requests_named(text, requested) == (limit if limit < requested else None)


@given(st.text(max_size=60), st.integers(2, 2_000))
def test_batch_limit_that_is_named_is_smaller_than_the_batch(text: str, requested: int) -> None:
    assert (named := requests_named(text, requested)) is None or 0 < named < requested
