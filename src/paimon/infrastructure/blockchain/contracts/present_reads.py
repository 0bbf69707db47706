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

    def _is_absent(self, read: ContractRead[object]) -> bool:
        if self._deployment is None or read.address not in self._names:
            return False
        signature = read.abi.functions[read.function].signature
        return self._deployment.state(self._names[read.address], signature) is FunctionState.ABSENT
