"""The proven logs of a range are those that the headers commit to, for any answer of a node; faults are recorded."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import NodeError, StubNode, stub_node
from tests.support.factories.encoded_logs import FUND, TRACKED
from tests.support.factories.strategies import address

from paimon.application.event_listener.fetch.block_range import (
    BlockRange,
    InconsistentResponse,
    InvalidResponse,
    fetch_headers,
    fetch_range,
    fetch_segment,
)
from paimon.application.event_listener.fetch.log_filter import log_queries
from paimon.application.event_listener.fetch.verify import ProofResult, prove, prove_segment
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel
from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.blockchain.proof.bloom import bloom_of
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.proof.keccak import keccak256
from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

TOPIC = b"\x11" * 32
TOKEN = address(0xA0)
TRANSFER = keccak256(b"Transfer(address,address,uint256)")
PARTY, OTHER = bytes(12) + FUND.vault, bytes(12) + address(0xBEEF)


def chain_with_logs() -> StubChain:
    chain = StubChain(head=12)
    for block in (3, 5, 5, 8):
        chain.emit(block, FUND.vault, [TOPIC], bytes([block]))
    chain.emit(9, TOKEN, [TRANSFER, OTHER, PARTY], b"\x09")
    return chain


@pytest.fixture
async def chain() -> StubChain:
    return chain_with_logs()


@pytest.fixture
async def node(chain: StubChain) -> AsyncIterator[StubNode]:
    async with stub_node() as opened:
        chain.serve(opened)
        yield opened


@pytest.fixture
async def rpc(node: StubNode) -> AsyncIterator[Rpc]:
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as opened:
        yield opened


@pytest.fixture
async def another(node: StubNode) -> AsyncIterator[tuple[StubNode, Rpc]]:
    """A second, correct endpoint of the same chain; and a view of the first endpoint in a pool of the two."""
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(stub_node())
        chain_with_logs().serve(second)
        pool = await stack.enter_async_context(Rpc(node.url, second.url, timeout_seconds=5, attempts_max=1))
        yield second, pool.only_endpoint(endpoint_name(node.url))


async def fetched(rpc: Rpc, first: int = 1, last: int = 12) -> BlockRange:
    return await fetch_range(rpc, first, last, log_queries(TRACKED, first, last))


async def proven(rpc: Rpc) -> ProofResult:
    return await prove(rpc, await fetched(rpc), TRACKED)


async def agreed(rpc: Rpc) -> ProofResult:
    """Prove the range as a segment of the past."""
    return await prove_segment(rpc, await fetched(rpc), TRACKED)


def received(node: StubNode, method: str) -> list[int]:
    return [int(params[0], 16) for name, params in node.received if name == method]


async def test_receipts_are_requested_only_for_blocks_whose_bloom_may_match(node: StubNode, rpc: Rpc) -> None:
    proof = await proven(rpc)
    assert received(node, "eth_getBlockReceipts") == [3, 5, 8, 9]
    assert (proof.level, proof.receipt_block_count, proof.faults) == (ProofLevel.RECEIPTS, 4, ())
    assert [(log.block.number, log.log_index, log.data) for log in proof.fetched.logs] == [
        (3, 0, b"\x03"),
        (5, 0, b"\x05"),
        (5, 1, b"\x05"),
        (8, 0, b"\x08"),
        (9, 0, b"\x09"),
    ]


async def test_bloom_false_positive_costs_one_request_and_changes_nothing(chain: StubChain, node: StubNode, rpc: Rpc) -> None:
    chain.emit(10, address(0x77), [TOPIC])  # of the fund's bits it sets only the topic's
    chain.add_bloom_bits(11, bloom_of(FUND.vault))
    proof = await proven(rpc)
    assert received(node, "eth_getBlockReceipts") == [3, 5, 8, 9, 11]
    assert len(proof.fetched.logs) == 5
    assert proof.faults == ()


async def test_token_transfers_of_others_are_not_recorded(chain: StubChain, rpc: Rpc) -> None:
    for topics in ([TRANSFER, OTHER, OTHER], [keccak256(b"Approval(address,address,uint256)"), PARTY, OTHER], [TRANSFER], []):
        chain.emit(9, TOKEN, topics)
    proof = await proven(rpc)
    assert [log.data for log in proof.fetched.logs if log.address == TOKEN] == [b"\x09"]


WRONG_LOGS: dict[str, tuple[Callable[[StubChain], object], set[InvalidResponseKind]]] = {
    "a log is left out": (lambda chain: chain.logs.pop(0), {InvalidResponseKind.OMITTED_LOG}),
    "a log of several is left out": (lambda chain: chain.logs.pop(2), {InvalidResponseKind.OMITTED_LOG}),
    "all logs are left out": (lambda chain: chain.logs.clear(), {InvalidResponseKind.OMITTED_LOG}),
    "a token's transfer is left out": (lambda chain: chain.logs.pop(), {InvalidResponseKind.OMITTED_LOG}),
    "a log of the right contract is forged": (
        lambda chain: chain.logs.append(chain.logs[0] | {"logIndex": "0x1", "data": "0x99"}),
        {InvalidResponseKind.FORGED_LOG},
    ),
    "a log is forged in a block that has none": (
        lambda chain: chain.logs.append(chain.logs[0] | {"blockNumber": "0x4", "blockHash": chain.headers[4]["hash"]}),
        {InvalidResponseKind.FORGED_LOG},
    ),
    "a log has other data": (lambda chain: chain.logs[0].update(data="0x99"), {InvalidResponseKind.CHANGED_LOG}),
    "a log has another transaction": (
        lambda chain: chain.logs[0].update(transactionHash=hex0x(b"\xee" * 32)),
        {InvalidResponseKind.CHANGED_LOG},
    ),
    "a log has another index": (
        lambda chain: chain.logs[0].update(logIndex="0x5"),
        {InvalidResponseKind.OMITTED_LOG, InvalidResponseKind.FORGED_LOG},
    ),
    "a log is put into another block": (
        lambda chain: chain.logs[0].update(blockHash=chain.headers[8]["hash"], logIndex="0x1"),
        {InvalidResponseKind.OMITTED_LOG, InvalidResponseKind.FORGED_LOG},
    ),
}


@pytest.mark.parametrize("wrong", WRONG_LOGS)
async def test_proof_finds_omitted_forged_and_changed_logs(chain: StubChain, rpc: Rpc, wrong: str) -> None:
    truth = (await proven(rpc)).fetched.logs
    change, kinds = WRONG_LOGS[wrong]
    change(chain)
    proof = await proven(rpc)
    assert proof.fetched.logs == truth
    assert proof.level is ProofLevel.RECEIPTS
    assert {fault.kind for fault in proof.faults} == kinds
    assert {fault.endpoint for fault in proof.faults} == {rpc.endpoint}


WRONG_RECEIPTS: dict[str, Callable[[StubChain], object]] = {
    "a receipt lacks a log": lambda chain: chain.receipts[5][0]["logs"].pop(),
    "a receipt has a log more": lambda chain: chain.receipts[5][0]["logs"].append(chain.receipts[3][0]["logs"][0]),
    "a receipt is left out": lambda chain: chain.receipts[5].clear(),
    "a receipt is of another type": lambda chain: chain.receipts[5][0].update(type="0x0"),
    "a log in a receipt has other data": lambda chain: chain.receipts[5][0]["logs"][0].update(data="0x99"),
    "a receipt is of another transaction": lambda chain: chain.receipts[5][0].update(transactionHash=hex0x(b"\xee" * 32)),
    "a receipt is unreadable": lambda chain: chain.receipts[5][0].update(logs=None),
    "receipts are text": lambda chain: chain.receipts.update({5: "0x5"}),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("wrong", WRONG_RECEIPTS)
async def test_receipts_with_a_wrong_root_are_rejected(chain: StubChain, rpc: Rpc, wrong: str) -> None:
    WRONG_RECEIPTS[wrong](chain)
    with pytest.raises(InvalidResponse) as raised:
        await proven(rpc)
    assert (raised.value.fault.kind, raised.value.fault.block_number) == (InvalidResponseKind.WRONG_RECEIPTS, 5)


async def test_right_receipts_of_another_endpoint_are_used_and_the_fault_recorded(
    chain: StubChain, rpc: Rpc, another: tuple[StubNode, Rpc]
) -> None:
    chain.logs.pop(0)
    chain.receipts[3][0]["logs"].clear()  # so that its two answers agree
    proof = await proven(another[1])
    assert len(proof.fetched.logs) == 5
    assert [(fault.kind, fault.endpoint) for fault in proof.faults] == [
        (InvalidResponseKind.WRONG_RECEIPTS, rpc.endpoint),
        (InvalidResponseKind.OMITTED_LOG, rpc.endpoint),
    ]


async def test_consistent_omission_of_the_only_endpoint_is_not_recorded(chain: StubChain, rpc: Rpc) -> None:
    chain.logs.pop(0)
    chain.receipts[3][0]["logs"].clear()
    with pytest.raises(InvalidResponse):
        await proven(rpc)


async def test_proof_retries_when_receipts_are_not_available_yet(chain: StubChain, rpc: Rpc) -> None:
    del chain.receipts[8]
    with pytest.raises(InconsistentResponse, match="does not have the receipts"):
        await proven(rpc)


async def test_receipts_are_fetched_by_transaction_when_not_served_by_block(node: StubNode, rpc: Rpc) -> None:
    del node.methods["eth_getBlockReceipts"]
    proof = await proven(rpc)
    assert (proof.level, len(proof.fetched.logs)) == (ProofLevel.RECEIPTS, 5)
    assert len(received(node, "eth_getTransactionReceipt")) == 4


@pytest.mark.parametrize("message", ["limit exceeded", "internal error"])
async def test_temporary_error_weakens_no_proof(node: StubNode, rpc: Rpc, message: str) -> None:
    def fail(_params: Any) -> Any:
        raise NodeError(-32005, message)

    node.methods["eth_getBlockReceipts"] = fail
    with pytest.raises(RpcError, match=message):
        await proven(rpc)


def serves_no_receipts(node: StubNode) -> None:
    del node.methods["eth_getBlockReceipts"], node.methods["eth_getTransactionReceipt"]


async def test_proof_level_is_weaker_when_no_endpoint_serves_receipts(
    node: StubNode, rpc: Rpc, another: tuple[StubNode, Rpc]
) -> None:
    serves_no_receipts(node)
    assert (await proven(rpc)).level is ProofLevel.CHAINED
    assert (await proven(another[1])).level is ProofLevel.RECEIPTS
    serves_no_receipts(another[0])
    assert (await proven(another[1])).level is ProofLevel.AGREED


async def test_segment_is_proven_by_agreement_of_a_second_endpoint(rpc: Rpc, another: tuple[StubNode, Rpc]) -> None:
    proof = await agreed(another[1])
    assert (proof.level, proof.receipt_block_count) == (ProofLevel.AGREED, 0)
    assert (await agreed(rpc)).level is ProofLevel.CHAINED


async def test_agreement_finds_an_omitted_log_of_a_block_without_header(
    chain: StubChain, another: tuple[StubNode, Rpc]
) -> None:
    truth = (await fetched(another[1])).logs
    left_out = chain.logs.pop(0)
    segment = await fetch_segment(another[1], 1, 12, log_queries(TRACKED, 1, 12))
    assert int(left_out["blockNumber"], 16) not in {header.stamp.number for header in segment.headers}
    proof = await prove_segment(another[1], segment, TRACKED)
    assert (proof.level, proof.fetched.logs) == (ProofLevel.AGREED, truth)
    assert {(fault.kind, fault.endpoint) for fault in proof.faults} == {(InvalidResponseKind.OMITTED_LOG, another[1].endpoint)}
    assert {log.block.number for log in truth} <= {header.stamp.number for header in proof.fetched.headers}


@pytest.mark.parametrize("wrong", WRONG_LOGS)
async def test_receipts_decide_when_two_endpoints_differ(
    chain: StubChain, node: StubNode, rpc: Rpc, another: tuple[StubNode, Rpc], wrong: str
) -> None:
    truth = (await proven(rpc)).fetched.logs
    change, _ = WRONG_LOGS[wrong]
    change(chain)
    other = another[1].excluding(rpc.endpoint)
    assert other is not None
    for first in (another[1], other):
        proof = await agreed(first)
        assert (proof.level, proof.fetched.logs) == (ProofLevel.AGREED, truth)
        assert {fault.endpoint for fault in proof.faults} == {rpc.endpoint}


async def test_difference_without_receipts_is_not_recorded(
    chain: StubChain, node: StubNode, rpc: Rpc, another: tuple[StubNode, Rpc]
) -> None:
    serves_no_receipts(node)
    serves_no_receipts(another[0])
    chain.logs.pop(0)
    with pytest.raises(InconsistentResponse, match="differ in 1 blocks"):
        await proven(another[1])


def is_overloaded(_params: Any) -> Any:
    raise NodeError(-32005, "rate limit exceeded")


async def test_receipts_replace_a_second_endpoint_that_does_not_answer(
    chain: StubChain, node: StubNode, another: tuple[StubNode, Rpc]
) -> None:
    truth = (await fetched(another[1])).logs
    chain.logs.pop(0)
    another[0].methods["eth_getLogs"] = is_overloaded
    proof = await agreed(another[1])
    assert (proof.level, proof.receipt_block_count, proof.fetched.logs) == (ProofLevel.RECEIPTS, 4, truth)
    assert [(fault.kind, fault.endpoint) for fault in proof.faults] == [(InvalidResponseKind.OMITTED_LOG, another[1].endpoint)]
    assert [header.stamp.number for header in proof.fetched.headers] == list(range(1, 13))
    serves_no_receipts(node)
    serves_no_receipts(another[0])
    assert (await agreed(another[1])).level is ProofLevel.CHAINED


@pytest.mark.parametrize(
    "message",
    [
        "getReceipts error: gas limit reached",
        "transaction and receipt count mismatch, tx count = 122, receipts count = 121",
        "words that no table knows",
    ],
)
async def test_receipts_that_one_endpoint_fails_at_come_from_another(
    node: StubNode, rpc: Rpc, another: tuple[StubNode, Rpc], message: str
) -> None:
    truth = (await proven(rpc)).fetched.logs

    def fail(_params: Any) -> Any:
        raise NodeError(-32000, message)

    node.methods["eth_getBlockReceipts"] = node.methods["eth_getTransactionReceipt"] = fail
    proof = await proven(another[1])
    assert (proof.level, proof.fetched.logs, proof.faults) == (ProofLevel.RECEIPTS, truth, ())
    node.methods["eth_getBlockReceipts"] = lambda _params: None
    assert (await proven(another[1])).fetched.logs == truth


async def test_long_segment_is_proven_by_receipts_page_by_page(
    chain: StubChain, another: tuple[StubNode, Rpc], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paimon.application.event_listener.fetch.verify._HEADERS_AT_ONCE", 5)
    another[0].methods["eth_getLogs"] = is_overloaded
    segment = await fetched(another[1])
    proof = await prove_segment(another[1], segment, TRACKED)
    assert (proof.level, proof.fetched) == (ProofLevel.RECEIPTS, segment)
    chain.headers[6] = rehashed(chain.headers[6] | {"parentHash": hex0x(bytes(32))})  # the first of the second part
    chain.headers[7] = rehashed(chain.headers[7] | {"parentHash": chain.headers[6]["hash"]})
    chain.headers[8] = rehashed(chain.headers[8] | {"parentHash": chain.headers[7]["hash"]})
    with pytest.raises(InconsistentResponse, match="does not follow"):
        await prove_segment(another[1], segment, TRACKED)


def rehashed(header: dict[str, Any]) -> dict[str, Any]:
    return header | {"hash": hex0x(header_hash(header))}


async def test_inconsistent_second_endpoint_does_not_count_as_agreement(
    chain: StubChain, another: tuple[StubNode, Rpc]
) -> None:
    chain.logs.append(chain.logs[0] | {"blockHash": chain.headers[4]["hash"]})  # of block 3, by its number
    honest = another[1].excluding(another[1].endpoint)
    assert honest is not None
    assert (await agreed(honest)).level is ProofLevel.RECEIPTS
    chain.headers[12]["gasUsed"] = "0x1"
    proof = await agreed(honest)
    assert proof.level is ProofLevel.RECEIPTS
    assert [(fault.kind, fault.endpoint) for fault in proof.faults] == [(InvalidResponseKind.WRONG_HEADER, another[1].endpoint)]


@pytest.mark.parametrize("invented", [6, 12])
async def test_block_that_only_one_endpoint_has_is_not_recorded(
    chain: StubChain, another: tuple[StubNode, Rpc], invented: int
) -> None:
    """Invent a block with a correct hash, a log and receipts: once between known blocks, and once as the last block."""
    fork = chain_with_logs()
    fork.emit(invented, FUND.vault, [TOPIC], b"\xee")
    chain.headers[invented], chain.receipts[invented] = fork.headers[invented], fork.receipts[invented]
    chain.logs.append(fork.logs[-1])
    other = another[1].excluding(another[1].endpoint)
    assert other is not None
    for first in (another[1], other):
        segment = await fetch_segment(first, 1, 12, log_queries(TRACKED, 1, 12))
        with pytest.raises(InconsistentResponse, match=f"has block #{invented} "):
            await prove_segment(first, segment, TRACKED)


async def test_log_excluded_by_its_blocks_bloom_is_dropped_without_receipts(chain: StubChain, rpc: Rpc) -> None:
    chain.logs.append(chain.logs[0] | {"blockHash": chain.headers[4]["hash"]})
    proof = await agreed(rpc)
    assert (proof.level, len(proof.fetched.logs)) == (ProofLevel.CHAINED, 5)
    assert [(fault.kind, fault.block_number) for fault in proof.faults] == [(InvalidResponseKind.FORGED_LOG, 4)]


async def test_header_with_a_wrong_hash_is_an_endpoint_fault(chain: StubChain, rpc: Rpc) -> None:
    chain.headers[4]["logsBloom"] = hex0x(bytes(256)[:-1] + b"\x01")
    with pytest.raises(InvalidResponse) as raised:
        await fetch_headers(rpc, range(1, 13))
    assert (raised.value.fault.kind, raised.value.fault.block_number) == (InvalidResponseKind.WRONG_HEADER, 4)


async def test_proof_fails_temporarily_when_the_first_endpoint_is_down(rpc: Rpc, node: StubNode) -> None:
    given = await fetched(rpc)
    async with Rpc("http://127.0.0.1:9", timeout_seconds=1, attempts_max=1) as away:
        with pytest.raises(RpcUnavailable):
            await prove(away, given, TRACKED)
