"""Simulate the calls of a plan: each as if the selected wallet made it now, alone, at the block of the valuation.

A call that follows others runs on the state that they leave, so that its own outcome here is only a hint; the outcome of the
first call is exact. Before anything is sent, each call is simulated again on its own state, and a Safe's batch as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paimon.application.transactions.driver.node_queries import explain_revert
from paimon.application.transactions.plans.select_wallet import ValuedCalls
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, checksum, hex0x
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import has_no_effect, read_buffer
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The outcome of one call. `description` is the contract's own error, or what is wrong with the success."""

    succeeds: bool
    description: str


async def simulate_calls(valued: ValuedCalls, wallet: Address, contracts: FundContracts) -> list[SimulationResult]:
    """Raises RpcUnavailable, RpcError."""
    answers = await contracts.rpc.try_batch([_request(call.step.call, wallet, valued.at) for call in valued.calls])
    results = [_outcome(call.step.call, answer, contracts) for call, answer in zip(valued.calls, answers, strict=True)]
    if any(call.function == RebalancerFunction.REBALANCE_BUFFER for call in valued.calls):
        total, target = await read_buffer(contracts, at=valued.at)
        if total >= target:
            results = [
                SimulationResult(False, "the buffer is at its target: it would do nothing")
                if call.function == RebalancerFunction.REBALANCE_BUFFER and result.succeeds
                else result
                for call, result in zip(valued.calls, results, strict=True)
            ]
    return results


def _request(call: Call, wallet: Address, at: BlockStamp) -> Request:
    call_object = {"from": checksum(wallet), "to": checksum(call.to), "data": hex0x(call.data)}
    return ("eth_call", [call_object, {"blockHash": hex0x(at.hash)}])


def _outcome(call: Call, answer: str | RpcError, contracts: FundContracts) -> SimulationResult:
    if isinstance(answer, RpcError):
        if not answer.is_revert:
            raise answer
        return SimulationResult(False, str(explain_revert(contracts, answer.revert_data)))
    if has_no_effect(call, bytes.fromhex(answer[2:]), contracts.abis[ContractName.ASSET_CONTROLLER]):
        return SimulationResult(False, "it would succeed and do nothing")
    return SimulationResult(True, "succeeds")


def first_failure(results: Sequence[SimulationResult]) -> str | None:
    """Return why the first call would fail; None if it would not. No call comes before it that could change its outcome."""
    return None if results[0].succeeds else results[0].description
