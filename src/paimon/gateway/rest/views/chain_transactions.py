"""The chain's transactions that touched the fund."""

from typing import Any, Self

from pydantic import Field

from paimon.application.vault.chain_transactions import LOGS_MAX, ChainTransactionDetail, TransactionLog
from paimon.domain.asset.token_transfer import Purpose
from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.schema import AddressText, ApiModel, HashText, Time
from paimon.infrastructure.database.models.derived import LogStatus


class TransactionLogView(ApiModel):
    """One log of a followed contract, as it was read."""

    log_index: int
    contract: ContractName
    address: AddressText
    event: str | None = Field(description="null for a log of no known event")
    args: dict[str, Any] | None
    purpose: Purpose | None = Field(description="of a token's Transfer from or to the vault")
    status: LogStatus
    reason: str | None = Field(description="why the log was set aside")

    @classmethod
    def of(cls, log: TransactionLog) -> Self:
        return cls(**{name: getattr(log, name) for name in cls.model_fields})


class ChainTransactionView(ApiModel):
    """One transaction: who spoke in it, what was said, and the logs themselves."""

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
        row = detail.row
        return cls(
            hash=row.tx_hash,
            block_number=row.block_number,
            index=row.tx_index,
            time=row.at,
            contracts=[ContractName(each) for each in row.contracts],
            events=row.events,
            log_count=row.logs,
            logs=[TransactionLogView.of(each) for each in detail.logs],
        )
