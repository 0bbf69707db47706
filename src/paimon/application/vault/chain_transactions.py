"""Transactions of the chain that have logs of the fund's contracts, each with its logs as they were decoded."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, ContractName, Hash32

LOGS_MAX: Final = 50
"""Logs shown of one transaction; a batch that others made may have thousands."""


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Conditions on a list of transactions. Days are UTC days of the block, both included."""

    contract: ContractName | None = None
    event: str | None = None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class TransactionLog:
    """One log as it was decoded. `purpose` is that of a transfer of the vault's tokens."""

    log_index: int
    contract: ContractName
    address: Address
    event: str | None
    args: dict[str, Any] | None
    purpose: TransferPurpose | None
    status: LogStatus
    reason: str | None


@dataclass(frozen=True, slots=True)
class ChainTransactionDetail:
    """A transaction with its first logs."""

    hash: Hash32
    block_number: int
    index: int
    time: datetime
    contracts: tuple[ContractName, ...]
    events: tuple[str, ...]
    log_count: int
    logs: list[TransactionLog]
