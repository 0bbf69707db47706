"""Transactions as values, for tests of the projection."""

from collections.abc import Iterable
from typing import Final

from tests.support.factories.strategies import address, stamp

from paimon.domain.events import ChainTransaction, FundEvent, LoggedEvent, TokenTransfer
from paimon.domain.kernel.chain import Address, ContractName, Hash32
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.kernel.units import RawAmount

VAULT: Final = address(0xFA)
USDT: Final = address(0xA0)
ASSET_TOKEN: Final = address(0xA1)
OTC: Final = address(0xFD)
RECIPIENT: Final = address(0xFE)
MARKET: Final = address(0xFF)
TREASURY: Final = Treasury(VAULT, USDT)


def amount(number: int) -> RawAmount:
    return RawAmount(number)


def transfer_in(token: Address, number: int, sender: Address = MARKET) -> TokenTransfer:
    return TokenTransfer(token, sender, VAULT, amount(number))


def transfer_out(token: Address, number: int, receiver: Address = MARKET) -> TokenTransfer:
    return TokenTransfer(token, VAULT, receiver, amount(number))


def emitter_of(event: FundEvent) -> ContractName:
    """Return the contract that logs this event; the asset controller where several do."""
    emitters = type(event).emitters
    return emitters[0] if len(emitters) == 1 else ContractName.ASSET_CONTROLLER


def chain_transaction(*events: FundEvent, number: int = 1, other_contracts: Iterable[ContractName] = ()) -> ChainTransaction:
    """Build one transaction with these events, in the block of this number."""
    logged = tuple(LoggedEvent(event, emitter_of(event), index) for index, event in enumerate(events))
    emitting_contracts = frozenset({logged.contract for logged in logged} | set(other_contracts))
    return ChainTransaction(stamp(number), Hash32(number.to_bytes(32)), logged, emitting_contracts)
