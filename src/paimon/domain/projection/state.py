"""The projected states, and the fold of one transaction into states and facts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, get_args

from paimon.domain.asset.asset import Asset, TierBand, apply_asset_event, tier_band_from_event
from paimon.domain.asset.otc_order import OrderKey, OtcOrder, apply_order_event
from paimon.domain.asset.protocol_address import ProtocolAddressKind, protocol_address_change
from paimon.domain.asset.token_transfer import (
    Attribution,
    ClassifiedTransfer,
    TokenFlow,
    TransferPurpose,
    attribute_transfers,
    direction_of,
    is_fee_collection,
    unattributed_purpose,
)
from paimon.domain.asset.trade import Trade, extract_trades
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
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, LogPosition
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.projection.facts import Facts
from paimon.domain.redemption.request import Redemption, apply_redemption_event
from paimon.domain.vault.fees import FeeAccount, FeeEntry, FeeEntryType, FeeKind, fee_entry
from paimon.domain.vault.share_balance import ShareBalance, ShareEvent, share_changes

RoleKey = tuple[ContractName, Hash32, Address]
ContractFlagKey = tuple[ContractName, "ContractFlag"]
ProtocolAddressKey = tuple[ContractName, ProtocolAddressKind]

_FEE_RECIPIENT: ProtocolAddressKey = (ContractName.ASSET_CONTROLLER, ProtocolAddressKind.FEE_RECIPIENT)
_COLLECTED_TOGETHER = (FeeKind.MANAGEMENT, FeeKind.PERFORMANCE)


class ContractFlag(StrEnum):
    """An on-off state of a contract."""

    PAUSED = "paused"
    EMERGENCY_MODE = "emergency_mode"


@dataclass(frozen=True, slots=True)
class ContractFlagStatus:
    """A flag as its last event, in block `since_block`, left it."""

    enabled: bool
    since_block: int


@dataclass(frozen=True, slots=True)
class ProtocolAddress:
    """The address in force since block `since_block`."""

    address: Address
    since_block: int


@dataclass(frozen=True, slots=True)
class _AttributedTransaction:
    """One transaction with its trades and the purposes of its transfers, both by log index."""

    transaction: ChainTransaction
    treasury: Treasury
    trades: dict[int, Trade]
    transfers: dict[int, Attribution]


@dataclass(slots=True)
class Projection:
    """The states under projection.

    Roles, flags, bands and protocol addresses hold only what the folded events changed. Redemptions and share balances are
    loaded before the fold; `updated_blocks` and `changed_holders` name those that changed.

    A block stored with a state is the event's own, never the batch's: otherwise the same events in other batches would give
    another result.
    """

    redemptions: dict[int, Redemption] = field(default_factory=dict)
    updated_blocks: dict[int, int] = field(default_factory=dict)
    share_balances: dict[Address, ShareBalance] = field(default_factory=dict)
    changed_holders: set[Address] = field(default_factory=set)
    roles: dict[RoleKey, bool] = field(default_factory=dict)
    flags: dict[ContractFlagKey, ContractFlagStatus] = field(default_factory=dict)
    assets: dict[Address, Asset] = field(default_factory=dict)
    tier_bands: dict[str, TierBand] = field(default_factory=dict)
    orders: dict[OrderKey, OtcOrder] = field(default_factory=dict)
    protocol_addresses: dict[ProtocolAddressKey, ProtocolAddress] = field(default_factory=dict)
    fees: dict[FeeKind, FeeAccount] = field(default_factory=dict)
    token_flows: dict[Address, TokenFlow] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def fold(self, transaction: ChainTransaction, treasury: Treasury) -> dict[int, str]:
        """Fold one whole transaction; return the reason for each log that cannot follow the recorded state, by log index.

        The transaction is folded as a whole, because later logs of it may name the purpose of an earlier transfer.
        """
        inapplicable: dict[int, str] = {}
        state_only = _STATE_ONLY_EVENTS.issuperset([type(logged.event) for logged in transaction.events])
        attributed = None if state_only else self._attribute(transaction, treasury)
        for logged in transaction.events:
            try:
                self.apply(logged.event, contract=logged.contract, at=transaction.block)
                if attributed is not None and type(logged.event) not in _STATE_ONLY_EVENTS:
                    self._add_facts(logged, attributed)
            except InapplicableEvent as error:
                inapplicable[logged.log_index] = str(error)
        return inapplicable

    def apply(self, event: FundEvent, *, contract: ContractName, at: BlockStamp) -> None:
        """Apply one event to the states; after an error nothing has changed.

        Raises:
            InapplicableEvent: the event cannot follow the recorded state.
        """
        _HANDLERS.get(type(event), Projection._set_protocol_address)(self, event, contract, at)

    def _apply_redemption(self, event: RedemptionEvent, _: ContractName, at: BlockStamp) -> None:
        self.redemptions[event.request_id] = apply_redemption_event(self.redemptions.get(event.request_id), event, at=at)
        self.updated_blocks[event.request_id] = at.number

    def _change_role(self, event: RoleGranted | RoleRevoked, contract: ContractName, _: BlockStamp) -> None:
        self.roles[contract, event.role, event.account] = isinstance(event, RoleGranted)

    def _pause(self, event: Paused | Unpaused, contract: ContractName, at: BlockStamp) -> None:
        self.flags[contract, ContractFlag.PAUSED] = ContractFlagStatus(isinstance(event, Paused), at.number)

    def _change_emergency_mode(self, event: EmergencyModeChanged, contract: ContractName, at: BlockStamp) -> None:
        self.flags[contract, ContractFlag.EMERGENCY_MODE] = ContractFlagStatus(event.enabled, at.number)

    def _apply_asset(self, event: AssetEvent, _: ContractName, at: BlockStamp) -> None:
        self.assets[event.token] = apply_asset_event(self.assets.get(event.token), event, at=at)

    def _set_band(self, event: LayerConfigUpdated, _: ContractName, at: BlockStamp) -> None:
        band = tier_band_from_event(event, at=at)
        self.tier_bands[band.tier] = band

    def _apply_order(self, event: OrderEvent, _: ContractName, at: BlockStamp) -> None:
        key = event.emitter, event.order_id
        self.orders[key] = apply_order_event(self.orders.get(key), event, at=at)

    def _set_protocol_address(self, event: FundEvent, contract: ContractName, at: BlockStamp) -> None:
        if (change := protocol_address_change(event)) is not None:
            kind, address = change
            self.protocol_addresses[contract, kind] = ProtocolAddress(address, at.number)

    def _apply_share_event(self, event: ShareEvent, _: ContractName, at: BlockStamp) -> None:
        share_balances = self.share_balances
        changed_holders: dict[Address, ShareBalance] = {}
        for change in share_changes(event):
            holder = change.holder
            before = changed_holders.get(holder) or share_balances.get(holder) or ShareBalance(holder, since=at.timestamp)
            changed_holders[holder] = before.applying(change)
        share_balances.update(changed_holders)
        self.changed_holders.update(changed_holders)

    def _order_tokens(self, transaction: ChainTransaction) -> dict[OrderKey, Address]:
        """Return the tokens of the OTC orders in this transaction, including orders created in it."""
        tokens: dict[OrderKey, Address] = {}
        for logged in transaction.events:
            if isinstance(event := logged.event, (OrderCreated, OrderDelivered)):  # isinstance with a union is slower
                key = event.emitter, event.order_id
                if (order := self.orders.get(key)) is not None:
                    tokens[key] = order.token
                elif isinstance(event, OrderCreated):
                    tokens.setdefault(key, event.rwa_token)
        return tokens

    def _attribute(self, transaction: ChainTransaction, treasury: Treasury) -> _AttributedTransaction:
        trades = extract_trades(transaction, vault=treasury.vault)
        transfers = attribute_transfers(transaction, trades, treasury=treasury, order_tokens=self._order_tokens(transaction))
        trades_by_index = {trade.log_position.log_index: trade for trade in trades}
        return _AttributedTransaction(transaction, treasury, trades_by_index, transfers)

    def _add_facts(self, logged: LoggedEvent, attributed: _AttributedTransaction) -> None:
        at, event = attributed.transaction.block, logged.event
        log_position = LogPosition(at.number, logged.log_index, attributed.transaction.tx_hash, at.timestamp)
        if isinstance(event, TokenTransfer):
            self._record_transfer(event, log_position, attributed)
        if (entry := fee_entry(event, log_position)) is not None:
            self._record_fee(entry)
        if (trade := attributed.trades.get(logged.log_index)) is not None:
            self.facts.trades.append(trade)
        self.facts.record_event(event, logged.contract, log_position)

    def _record_fee(self, entry: FeeEntry) -> None:
        self.fees[entry.kind] = self._fee_account(entry.kind).after(entry.entry_type, entry.amount)
        self.facts.fee_entries.append(entry)

    def _fee_account(self, kind: FeeKind) -> FeeAccount:
        return self.fees.get(kind) or FeeAccount(kind)

    def _record_transfer(self, transfer: TokenTransfer, log_position: LogPosition, attributed: _AttributedTransaction) -> None:
        direction = direction_of(transfer, attributed.treasury.vault)
        flow = self.token_flows.get(transfer.emitter) or TokenFlow(transfer.emitter)
        self.token_flows[transfer.emitter] = flow.after(direction, transfer.value)
        attribution = attributed.transfers.get(log_position.log_index)
        self.facts.transfers.append(
            ClassifiedTransfer(
                log_position=log_position,
                token=transfer.emitter,
                sender=transfer.from_,
                receiver=transfer.to,
                direction=direction,
                amount=transfer.value,
                purpose=self._unattributed_purpose(transfer, log_position, attributed)
                if attribution is None
                else attribution.purpose,
                source_log_index=None if attribution is None else attribution.log_index,
            )
        )

    def _unattributed_purpose(
        self, transfer: TokenTransfer, log_position: LogPosition, attributed: _AttributedTransaction
    ) -> TransferPurpose:
        """Choose the purpose of a transfer that no log names, at its own position: accruals come before the collection."""
        accounts = [self._fee_account(kind) for kind in _COLLECTED_TOGETHER]
        fee_recipient = self.protocol_addresses.get(_FEE_RECIPIENT)
        recipient = fee_recipient.address if fee_recipient else None
        owed = sum(account.owed for account in accounts)
        if not is_fee_collection(transfer, treasury=attributed.treasury, recipient=recipient, owed=owed):
            return unattributed_purpose(transfer, attributed.transaction, vault=attributed.treasury.vault)
        for account in accounts:
            if account.owed:
                entry = FeeEntry(log_position, account.kind, FeeEntryType.PAID, account.owed, recipient=transfer.to)
                self.fees[account.kind] = account.collected()
                self.facts.fee_entries.append(entry)
        return TransferPurpose.FEE_COLLECTION


_Handler = Callable[[Projection, Any, ContractName, BlockStamp], None]

_HANDLERS: Final[dict[type[FundEvent], _Handler]] = {
    **dict.fromkeys(get_args(ShareEvent), Projection._apply_share_event),
    **dict.fromkeys(get_args(RedemptionEvent), Projection._apply_redemption),
    **dict.fromkeys((RoleGranted, RoleRevoked), Projection._change_role),
    **dict.fromkeys((Paused, Unpaused), Projection._pause),
    EmergencyModeChanged: Projection._change_emergency_mode,
    **dict.fromkeys(get_args(AssetEvent), Projection._apply_asset),
    LayerConfigUpdated: Projection._set_band,
    **dict.fromkeys(get_args(OrderEvent), Projection._apply_order),
}
"""What each event changes by itself. Events not listed can only set a protocol address."""

_STATE_ONLY_EVENTS: Final = frozenset((*get_args(ShareEvent), *get_args(RedemptionEvent)))
"""Events that add no fact, fee or transfer. Most events are of these types."""
