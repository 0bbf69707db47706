"""A batch of reads for any deployment: what the contracts do not have is not asked."""

from typing import TypeVar

from paimon.domain.deployment.contract_facts import Deployment, FunctionState
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, PendingRead, ReadBatch

T = TypeVar("T")
Absent = TypeVar("Absent")


class PresentReads(ReadBatch):
    """A batch that leaves out the reads that the deployment does not have. Without a deployment every read is sent."""

    def __init__(self, contracts: FundContracts, deployment: Deployment | None) -> None:
        super().__init__()
        self._deployment = deployment
        self._names = contracts.addresses.names()

    def add_if_present(self, read: ContractRead[T], absent: Absent) -> PendingRead[T | Absent]:
        """Add a read that must succeed where the deployment has it; elsewhere its result is the value of its absence."""
        pending: PendingRead[T | Absent] = PendingRead(read, may_fail=False)
        if self._is_absent(read):
            pending.store(absent)
        else:
            self.pending.append(pending)
        return pending

    def add_if_found(self, read: ContractRead[T], absent: Absent) -> PendingRead[T | Absent]:
        """Add a read that few deployments have. Where it is not known whether this one has it, it may fail."""
        return self.try_add(read) if self._state(read) is FunctionState.UNKNOWN else self.add_if_present(read, absent)

    def _is_absent(self, read: ContractRead[object]) -> bool:
        return self._state(read) is FunctionState.ABSENT

    def _state(self, read: ContractRead[object]) -> FunctionState:
        if self._deployment is None or read.address not in self._names:
            return FunctionState.UNKNOWN
        return self._deployment.state(self._names[read.address], read.abi.functions[read.function].signature)
