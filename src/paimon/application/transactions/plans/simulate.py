"""What each call would do if the chosen wallet made it now, alone, at the block the plan was valued at.

A call that follows others runs on what they leave, so its own outcome here is only a sign; the first one's is exact. Before
anything is sent the call is simulated again, on its own state, and a Safe's batch as a whole.
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
    """How one call would end; `words` is the contract's own reason, or what is wrong with its success."""

    succeeds: bool
    description: str


async def simulate(valued: ValuedCalls, wallet: Address, contracts: FundContracts) -> list[SimulationResult]:
    """Raises RpcUnavailable, RpcError."""
    answers = await contracts.rpc.try_batch([_request(each.step.call, wallet, valued.at) for each in valued.calls])
    found = [_outcome(each.step.call, answer, contracts) for each, answer in zip(valued.calls, answers, strict=True)]
    if any(each.function == RebalancerFunction.REBALANCE_BUFFER for each in valued.calls):
        total, target = await read_buffer(contracts, at=valued.at)
        if total >= target:
            found = [
                SimulationResult(False, "the buffer is at its target: it would do nothing")
                if call.function == RebalancerFunction.REBALANCE_BUFFER and each.succeeds
                else each
                for call, each in zip(valued.calls, found, strict=True)
            ]
    return found


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
    return SimulationResult(True, "passes")


def first_failure(found: Sequence[SimulationResult]) -> str | None:
    """Why the first call would not do, if so: nothing comes before it that could change that."""
    return None if found[0].succeeds else found[0].description
