"""Contract reads: many at one block in one request, and what stands in place of a result that is missing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_abi.abi import encode
from tests.support.chain.stub_node import NodeError, StubNode, stub_node
from tests.support.factories.strategies import address, stamp

from paimon.domain.kernel.chain import checksum, hex0x
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.contracts.reads import (
    BATCH_MAX,
    CallReverted,
    FailedRead,
    FailureKind,
    ReadBatch,
)
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

FUND = FundAddresses(address(1), address(2), address(3))
AT = stamp(9)


@pytest.fixture
async def node() -> AsyncIterator[StubNode]:
    async with stub_node(eth_blockNumber=hex(AT.number)) as opened:
        yield opened


@pytest.fixture
async def contracts(node: StubNode) -> AsyncIterator[FundContracts]:
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        yield FundContracts(rpc, FUND)


def answering_by_contract(answers: dict[bytes, Any]) -> Any:
    def eth_call(params: list[Any]) -> Any:
        answer = answers[bytes.fromhex(params[0]["to"][2:])]
        if isinstance(answer, NodeError):
            raise answer
        return answer

    return eth_call


def number(value: int) -> str:
    return hex0x(encode(["uint256"], [value]))


async def test_reads_of_several_contracts_and_types_are_one_request_at_one_block(
    node: StubNode, contracts: FundContracts
) -> None:
    node.methods["eth_call"] = answering_by_contract({
        FUND.vault: number(7),
        FUND.redemption_manager: number(1),
        FUND.asset_controller: hex0x(encode(["address"], [checksum(address(5))])),
    })  # fmt: skip
    batch = ReadBatch()
    supply = batch.add(contracts.vault.total_supply())
    paused = batch.add(contracts.redemption_manager.paused())
    oracle = batch.add(contracts.asset_controller.oracle_adapter())
    await contracts.run(batch, at=AT)
    assert (supply.result, paused.result, oracle.result) == (7, True, address(5))
    calls = [params for method, params in node.received if method == "eth_call"]
    assert [params[1] for params in calls] == [{"blockHash": hex0x(AT.hash)}] * 3
    assert node.requests == 2  # the head, and the batch


async def test_large_batch_is_split_and_keeps_the_order(node: StubNode, contracts: FundContracts) -> None:
    def balance(params: list[Any]) -> str:
        return number(int(params[0]["data"][-40:], 16))

    node.methods["eth_call"] = balance
    holders = range(1, 2 * BATCH_MAX + 2)
    reads = [contracts.vault.balance_of(address(holder)) for holder in holders]
    assert await contracts.read(reads, at=AT) == list(holders)
    assert node.requests == 4  # the head, and three batches


async def test_revert_is_explained_by_the_abi_of_the_contract_that_reverted(node: StubNode, contracts: FundContracts) -> None:
    error = next(iter(load_abi("RedemptionManager").errors_by_selector.values()))
    values = [bytes(20) if parameter.type == "address" else 0 for parameter in error.inputs]
    revert_data = error.selector + encode([parameter.type for parameter in error.inputs], values)
    node.methods["eth_call"] = answering_by_contract({
        FUND.vault: number(7),
        FUND.redemption_manager: NodeError(3, "execution reverted", hex0x(revert_data)),
    })  # fmt: skip
    reads = [contracts.vault.total_supply(), contracts.redemption_manager.request_count()]
    with pytest.raises(CallReverted, match=f"^{error.name}") as raised:
        await contracts.read(reads, at=AT)
    assert raised.value.error_name == error.name
    supply, failed = await contracts.try_read(reads, at=AT)
    assert supply == 7
    assert isinstance(failed, FailedRead)
    assert (failed.kind, failed.error_name) == (FailureKind.REVERTED, error.name)
    assert failed.reason.startswith(f"getRequestCount reverted: {error.name}")


@pytest.mark.parametrize(("answer", "kind"), [("0x", FailureKind.NO_CODE), ("0x01", FailureKind.UNDECODABLE)])
async def test_answer_of_another_contract_is_a_failed_read(
    node: StubNode, contracts: FundContracts, answer: str, kind: FailureKind
) -> None:
    node.methods["eth_call"] = answer
    (failed,) = await contracts.try_read([contracts.vault.total_supply()], at=AT)
    assert isinstance(failed, FailedRead)
    assert failed.kind is kind
    with pytest.raises(CallReverted, match="totalSupply"):
        await contracts.read_one(contracts.vault.total_supply(), at=AT)


async def test_failure_of_the_node_is_never_a_failed_read(node: StubNode, contracts: FundContracts) -> None:
    def fail(_params: list[Any]) -> Any:
        raise NodeError(-32603, "internal error")

    node.methods["eth_call"] = fail
    with pytest.raises(RpcError, match="internal error"):
        await contracts.try_read([contracts.vault.total_supply()], at=AT)
