"""The states being folded, and the fold of one transaction into states and facts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, get_args

from paimon.domain.asset.asset import Asset, TierBand, follow_asset, tier_band
from paimon.domain.asset.otc_order import OrderKey, OtcOrder, follow_order
from paimon.domain.asset.protocol_address import Service, appointment
from paimon.domain.asset.token_transfer import (
    Purpose,
    TokenFlow,
    TokenMovement,
    Told,
    direction_of,
    explain,
    is_collection,
    purpose_untold,
)
from paimon.domain.asset.trade import Trade, trades
from paimon.domain.events import (
    AssetEvent,
    ChainTransaction,
    EmergencyModeChanged,
    FundEvent,
    LayerConfigUpdated,
    LoggedEvent,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    Paused,
    RedemptionEvent,
    RoleGranted,
    RoleRevoked,
    TokenTransfer,
    Unpaused,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, LogPlace
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.projection.facts import Facts
from paimon.domain.redemption.request import Redemption, follow
from paimon.domain.vault.fees import FeeAccount, FeeEntry, FeeKind, FeeStep, fee_entry
from paimon.domain.vault.share_balance import Holding, ShareEvent, movements

RoleKey = tuple[ContractName, Hash32, Address]
FlagKey = tuple[ContractName, "Flag"]
ServiceKey = tuple[ContractName, Service]

_FEE_RECIPIENT: ServiceKey = (ContractName.ASSET_CONTROLLER, Service.FEE_RECIPIENT)
_COLLECTED_TOGETHER = (FeeKind.MANAGEMENT, FeeKind.PERFORMANCE)


class Flag(StrEnum):
    """An on-off state of a contract."""

    PAUSED = "paused"
    EMERGENCY_MODE = "emergency_mode"


@dataclass(frozen=True, slots=True)
class FlagState:
    """A flag as its last event, in `since_block`, left it."""

    enabled: bool
    since_block: int


@dataclass(frozen=True, slots=True)
class Appointment:
    """Who takes a part since `since_block`."""

    address: Address
    since_block: int


@dataclass(frozen=True, slots=True)
class _Told:
    """One transaction with what its logs tell of each other."""

    transaction: ChainTransaction
    treasury: Treasury
    trades: dict[int, Trade]
    movements: dict[int, Told]


@dataclass(slots=True)
class Projection:
    """The state being folded. Roles, flags, bands and services hold only what the folded events changed; of redemptions
    and holdings, which must be there before they can be folded on, `updated_block` and `moved` tell what did.

    A block kept with the state is the event's own, never the batch's, or the same events in other batches would not give
    the same books.
    """

    redemptions: dict[int, Redemption] = field(default_factory=dict)
    updated_block: dict[int, int] = field(default_factory=dict)
    holdings: dict[Address, Holding] = field(default_factory=dict)
    moved: set[Address] = field(default_factory=set)
    roles: dict[RoleKey, bool] = field(default_factory=dict)
    flags: dict[FlagKey, FlagState] = field(default_factory=dict)
    assets: dict[Address, Asset] = field(default_factory=dict)
    bands: dict[str, TierBand] = field(default_factory=dict)
    orders: dict[OrderKey, OtcOrder] = field(default_factory=dict)
    services: dict[ServiceKey, Appointment] = field(default_factory=dict)
    fees: dict[FeeKind, FeeAccount] = field(default_factory=dict)
    flows: dict[Address, TokenFlow] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def fold(self, transaction: ChainTransaction, treasury: Treasury) -> dict[int, str]:
        """Fold one whole transaction; for each log that cannot follow what was folded before it, the reason why.

        Whole, because what a movement of money was for is told by other logs of its transaction, later ones too.
        """
        refused: dict[int, str] = {}
        states_alone = _STATES_ALONE.issuperset([type(each.event) for each in transaction.events])
        told = None if states_alone else self._told(transaction, treasury)
        for logged in transaction.events:
            try:
                self.apply(logged.event, contract=logged.contract, at=transaction.block)
                if told is not None and type(logged.event) not in _STATES_ALONE:
                    self._add_facts(logged, told)
            except InapplicableEvent as error:
                refused[logged.log_index] = str(error)
        return refused

    def apply(self, event: FundEvent, *, contract: ContractName, at: BlockStamp) -> None:
        """What one event changes by itself; on an error nothing has changed.

        Raises:
            InapplicableEvent: the event cannot follow what was folded before it.
        """
        _STEPS.get(type(event), Projection._appoint)(self, event, contract, at)

    def _follow_redemption(self, event: RedemptionEvent, _: ContractName, at: BlockStamp) -> None:
        self.redemptions[event.request_id] = follow(self.redemptions.get(event.request_id), event, at=at)
        self.updated_block[event.request_id] = at.number

    def _change_role(self, event: RoleGranted | RoleRevoked, contract: ContractName, _: BlockStamp) -> None:
        self.roles[contract, event.role, event.account] = isinstance(event, RoleGranted)

    def _pause(self, event: Paused | Unpaused, contract: ContractName, at: BlockStamp) -> None:
        self.flags[contract, Flag.PAUSED] = FlagState(isinstance(event, Paused), at.number)

    def _change_emergency_mode(self, event: EmergencyModeChanged, contract: ContractName, at: BlockStamp) -> None:
        self.flags[contract, Flag.EMERGENCY_MODE] = FlagState(event.enabled, at.number)

    def _follow_asset(self, event: AssetEvent, _: ContractName, at: BlockStamp) -> None:
        self.assets[event.token] = follow_asset(self.assets.get(event.token), event, at=at)

    def _set_band(self, event: LayerConfigUpdated, _: ContractName, at: BlockStamp) -> None:
        band = tier_band(event, at=at)
        self.bands[band.tier] = band

    def _follow_order(self, event: OrderEvent, _: ContractName, at: BlockStamp) -> None:
        key = event.emitter, event.order_id
        self.orders[key] = follow_order(self.orders.get(key), event, at=at)

    def _appoint(self, event: FundEvent, contract: ContractName, at: BlockStamp) -> None:
        if (named := appointment(event)) is not None:
            self.services[contract, named[0]] = Appointment(named[1], at.number)

    def _move_shares(self, event: ShareEvent, _: ContractName, at: BlockStamp) -> None:
        holdings = self.holdings
        moved: dict[Address, Holding] = {}
        for step in movements(event):
            holder = step.holder
            before = moved.get(holder) or holdings.get(holder) or Holding(holder, since=at.timestamp)
            moved[holder] = before.after(step)
        holdings.update(moved)
        self.moved.update(moved)

    def _order_tokens(self, transaction: ChainTransaction) -> dict[OrderKey, Address]:
        """The token of each order this transaction tells of: as it was created, be it here."""
        tokens: dict[OrderKey, Address] = {}
        for logged in transaction.events:
            if isinstance(event := logged.event, (OrderCreated, OrderDelivered)):  # a union is slower to look through
                key = event.emitter, event.order_id
                if (order := self.orders.get(key)) is not None:
                    tokens[key] = order.token
                elif isinstance(event, OrderCreated):
                    tokens.setdefault(key, event.rwa_token)
        return tokens

    def _told(self, transaction: ChainTransaction, treasury: Treasury) -> _Told:
        found = trades(transaction, vault=treasury.vault)
        explained = explain(transaction, found, treasury=treasury, order_tokens=self._order_tokens(transaction))
        return _Told(transaction, treasury, {each.place.log_index: each for each in found}, explained)

    def _add_facts(self, logged: LoggedEvent, told: _Told) -> None:
        at, event = told.transaction.block, logged.event
        place = LogPlace(at.number, logged.log_index, told.transaction.tx_hash, at.timestamp)
        if isinstance(event, TokenTransfer):
            self._move_tokens(event, place, told)
        if (entry := fee_entry(event, place)) is not None:
            self._enter(entry)
        if (trade := told.trades.get(logged.log_index)) is not None:
            self.facts.trades.append(trade)
        self.facts.note(event, logged.contract, place)

    def _enter(self, entry: FeeEntry) -> None:
        self.fees[entry.kind] = self._account(entry.kind).after(entry.step, entry.amount)
        self.facts.fee_entries.append(entry)

    def _account(self, kind: FeeKind) -> FeeAccount:
        return self.fees.get(kind) or FeeAccount(kind)

    def _move_tokens(self, transfer: TokenTransfer, place: LogPlace, told: _Told) -> None:
        direction = direction_of(transfer, told.treasury.vault)
        flow = self.flows.get(transfer.emitter) or TokenFlow(transfer.emitter)
        self.flows[transfer.emitter] = flow.after(direction, transfer.value)
        why = told.movements.get(place.log_index)
        self.facts.movements.append(
            TokenMovement(
                place=place,
                token=transfer.emitter,
                sender=transfer.from_,
                receiver=transfer.to,
                direction=direction,
                amount=transfer.value,
                purpose=self._untold(transfer, place, told) if why is None else why.purpose,
                told_by=None if why is None else why.log_index,
            )
        )

    def _untold(self, transfer: TokenTransfer, place: LogPlace, told: _Told) -> Purpose:
        """A movement no log tells of. Judged at its place among the logs, since accruals go before the collection."""
        accounts = [self._account(kind) for kind in _COLLECTED_TOGETHER]
        named = self.services.get(_FEE_RECIPIENT)
        recipient = named.address if named else None
        owed = sum(each.owed for each in accounts)
        if not is_collection(transfer, treasury=told.treasury, recipient=recipient, owed=owed):
            return purpose_untold(transfer, told.transaction, vault=told.treasury.vault)
        for account in accounts:
            if account.owed:
                entry = FeeEntry(place, account.kind, FeeStep.PAID, account.owed, recipient=transfer.to)
                self.fees[account.kind] = account.collected()
                self.facts.fee_entries.append(entry)
        return Purpose.FEE_COLLECTION


_Step = Callable[[Projection, Any, ContractName, BlockStamp], None]

_STEPS: Final[dict[type[FundEvent], _Step]] = {
    **dict.fromkeys(get_args(ShareEvent), Projection._move_shares),
    **dict.fromkeys(get_args(RedemptionEvent), Projection._follow_redemption),
    **dict.fromkeys((RoleGranted, RoleRevoked), Projection._change_role),
    **dict.fromkeys((Paused, Unpaused), Projection._pause),
    EmergencyModeChanged: Projection._change_emergency_mode,
    **dict.fromkeys(get_args(AssetEvent), Projection._follow_asset),
    LayerConfigUpdated: Projection._set_band,
    **dict.fromkeys(get_args(OrderEvent), Projection._follow_order),
}
"""What an event changes by itself; those not named here can but appoint somebody."""

_STATES_ALONE: Final = frozenset((*get_args(ShareEvent), *get_args(RedemptionEvent)))
"""Events that are no fact, fee or movement of money: most of all."""
