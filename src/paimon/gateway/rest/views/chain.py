"""JSON shapes of chain transactions that touched the fund."""

from typing import Any, Self

from pydantic import Field

from paimon.application.vault.chain_transactions import LOGS_MAX, ChainTransactionDetail, TransactionLog
from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.schema import AddressText, ApiModel, HashText, Time


class TransactionLogView(ApiModel):
    """One log of a tracked contract, as the node returned it."""

    log_index: int
    contract: ContractName
    address: AddressText
    event: str | None = Field(description="null for a log of no known event")
    args: dict[str, Any] | None
    purpose: TransferPurpose | None = Field(description="of a token transfer from or to the vault")
    status: LogStatus
    reason: str | None = Field(description="why the log is quarantined")

    @classmethod
    def of(cls, log: TransactionLog) -> Self:
        return cls(**{name: getattr(log, name) for name in cls.model_fields})


class ChainTransactionView(ApiModel):
    """One transaction with the contracts, events and logs of the fund in it."""

    hash: HashText
    block_number: int
    index: int = Field(description="in its block")
    time: Time
    contracts: list[ContractName]
    events: list[str]
    log_count: int
    logs: list[TransactionLogView] = Field(description=f"the first {LOGS_MAX}, in order")

    @classmethod
    def of(cls, detail: ChainTransactionDetail) -> Self:
        return cls(
            hash=detail.hash,
            block_number=detail.block_number,
            index=detail.index,
            time=detail.time,
            contracts=list(detail.contracts),
            events=list(detail.events),
            log_count=detail.log_count,
            logs=[TransactionLogView.of(log) for log in detail.logs],
        )
