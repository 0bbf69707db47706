"""What every typed event is: a frozen value of its arguments, and the contracts whose log of this name it is."""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from paimon.domain.kernel.chain import BlockStamp, ContractName, Hash32


@dataclass(frozen=True, slots=True)
class FundEvent:
    """Base of the typed events.

    `emitters` are the contracts whose log of this name means this event. `abi_name` is the event's name in the ABI where
    it differs from the class's. An event that declares the field `emitter` is given the address that wrote the log.
    """

    emitters: ClassVar[tuple[ContractName, ...]] = ()
    abi_name: ClassVar[str | None] = None


VAULT: Final = (ContractName.VAULT,)
REDEMPTION_MANAGER: Final = (ContractName.REDEMPTION_MANAGER,)
ASSET_CONTROLLER: Final = (ContractName.ASSET_CONTROLLER,)
OTC_MANAGER: Final = (ContractName.OTC_MANAGER,)
TOKEN: Final = (ContractName.TOKEN,)
CORE_CONTRACTS: Final = (ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER)
"""The three contracts that are followed from their first block on, so that their roles and pauses are known in full."""


class LoggedEvent(NamedTuple):
    """One event in its place among the logs of its block."""

    event: FundEvent
    contract: ContractName
    log_index: int


class ChainTransaction(NamedTuple):
    """What one transaction told: its events in order, and which of the followed contracts logged anything at all."""

    block: BlockStamp
    tx_hash: Hash32
    events: tuple[LoggedEvent, ...]
    emitting_contracts: frozenset[ContractName]
