"""Base of the typed events: a frozen value of the arguments, with the contracts that emit it."""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from paimon.domain.kernel.chain import BlockStamp, ContractName, Hash32


@dataclass(frozen=True, slots=True)
class FundEvent:
    """Base of the typed events.

    `emitters` are the contracts whose log of this name means this event. `abi_name` is the event's name in the ABI where it
    differs from the class's name. An event with the field `emitter` receives the address that emitted the log.
    """

    emitters: ClassVar[tuple[ContractName, ...]] = ()
    abi_name: ClassVar[str | None] = None


VAULT: Final = (ContractName.VAULT,)
REDEMPTION_MANAGER: Final = (ContractName.REDEMPTION_MANAGER,)
ASSET_CONTROLLER: Final = (ContractName.ASSET_CONTROLLER,)
OTC_MANAGER: Final = (ContractName.OTC_MANAGER,)
TOKEN: Final = (ContractName.TOKEN,)
CORE_CONTRACTS: Final = (ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER)
"""The three contracts tracked from their first block on, so that their roles and pauses are known in full."""


class LoggedEvent(NamedTuple):
    """One event with its contract and its index among the logs of its block."""

    event: FundEvent
    contract: ContractName
    log_index: int


class ChainTransaction(NamedTuple):
    """The events of one transaction in order, and the tracked contracts that logged anything in it."""

    block: BlockStamp
    tx_hash: Hash32
    events: tuple[LoggedEvent, ...]
    emitting_contracts: frozenset[ContractName]
