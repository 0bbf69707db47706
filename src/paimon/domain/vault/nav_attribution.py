"""Attribute the change of NAV between two snapshots to its causes, exactly, to the last unit.

Net assets first. With cash C, assets V = q × p, liability L and redemption fees F kept in the vault,

    ΔNA = ΔC + Σ ΔV − ΔL − ΔF

and every term is split by what is known of it:

    ΔC   the Transfers of the vault's asset, by purpose
    ΔV   price      value(q0, p1) − value(q0, p0): the price change of what was held before
         flows      each purpose's tokens at p1: a purchase is worth its tokens less the money paid, and so on
         listing    an asset that joins or leaves the list brings or takes its value with it
    ΔL   requests and their ends        ΔF   fees kept and released

The rest of any term is *unexplained*: money, tokens, a liability or shares that no log explains. It is shown and alarmed,
never hidden in rounding. *Rounding* is the remainder of integer division: below one unit for each division made.

NAV per share follows in the order in which most intervals happen, since snapshots follow the events that move value and
prices drift before them: performance on the shares of before, then deposits, then requests. Each is the difference between
two NAVs, so the components add up. The last step, shares that no log explains, is unexplained too.

Paying an OTC order lowers net assets until delivery (deployed behaviour 5): the money is *in transit*. Only the difference
between the delivered tokens' value and that money is a trading result. Accruing a fee changes nothing here; collecting it
does (behaviour 4).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.kernel.chain import Address, LogPosition
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot, token_value
from paimon.domain.vault.nav_components import AttributionGroup, ComponentKey, ComponentKind, NavAttribution, NavComponent
from paimon.domain.vault.nav_inputs import AssetTransfer, FeeInputKind, NavInputs, RedemptionTransition
from paimon.domain.vault.nav_per_share import attribute_per_share


def attribute_nav_change(start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs) -> NavAttribution:
    """Split the change from `start` to `end`, given everything that happened between their blocks."""
    ledger = _ComponentLedger()
    _explain_cash(ledger, start, end, nav_inputs)
    _explain_orders(ledger, start, end, nav_inputs)
    for token in sorted({position.token for snapshot in (start, end) for position in snapshot.assets}):
        _explain_asset(ledger, token, start, end, nav_inputs.asset_transfers)
    _explain_liability(ledger, start, end, nav_inputs)
    _explain_redemption_fees(ledger, start, end, nav_inputs)
    known = sum(component.amount for component in ledger.components.values())
    shortfall = _shortfall(end) - _shortfall(start)
    ledger.add(ComponentKey(AttributionGroup.SHORTFALL, ComponentKind.OWED_BEYOND_ALL_ASSETS), shortfall)
    ledger.add(
        ComponentKey(AttributionGroup.ROUNDING, ComponentKind.DIVISION), end.net_assets - start.net_assets - known - shortfall
    )
    components = attribute_per_share(ledger.components.values(), start, end, nav_inputs)
    return NavAttribution(start, end, components, ledger.division_count)


class _ComponentLedger:
    """Components under addition. Every integer division goes through the ledger, so that rounding has a bound."""

    def __init__(self) -> None:
        self.components: dict[ComponentKey, NavComponent] = {}
        self.division_count = 0

    def add(self, key: ComponentKey, amount: int, *log_positions: LogPosition) -> None:
        if amount or log_positions:
            before = self.components.get(key, NavComponent(key))
            log_positions = before.log_positions + tuple(
                position for position in log_positions if position not in before.log_positions
            )
            self.components[key] = replace(before, amount=before.amount + amount, log_positions=log_positions)

    def value(self, quantity: int, price: int, decimals: int) -> int:
        """Value tokens at a price; a negative quantity has a negative value."""
        self.division_count += 1
        value = token_value(abs(quantity), price, decimals)
        return value if quantity >= 0 else -value


_CASH_GROUPS: Final = {
    TransferPurpose.DEPOSIT: (AttributionGroup.DEPOSITS, ComponentKind.DEPOSIT),
    TransferPurpose.REDEMPTION_PAYOUT: (AttributionGroup.REDEMPTIONS, ComponentKind.SETTLED),
    TransferPurpose.PURCHASE: (AttributionGroup.TRADING, ComponentKind.PURCHASE),
    TransferPurpose.SALE: (AttributionGroup.TRADING, ComponentKind.SALE),
    TransferPurpose.OTC_PAYMENT: (AttributionGroup.OTC_IN_TRANSIT, ComponentKind.ORDER),
    TransferPurpose.REDEMPTION_FEE_WITHDRAWAL: (AttributionGroup.FEES, ComponentKind.REDEMPTION),
    TransferPurpose.YIELD: (AttributionGroup.YIELD, ComponentKind.YIELD),
    TransferPurpose.EMERGENCY_WITHDRAWAL: (AttributionGroup.EMERGENCY_WITHDRAWALS, ComponentKind.WITHDRAWAL),
}
_TOKEN_GROUPS: Final = {
    TransferPurpose.PURCHASE: (AttributionGroup.TRADING, ComponentKind.PURCHASE),
    TransferPurpose.SALE: (AttributionGroup.TRADING, ComponentKind.SALE),
    TransferPurpose.OTC_DELIVERY: (AttributionGroup.TRADING, ComponentKind.OTC),
    TransferPurpose.YIELD: (AttributionGroup.YIELD, ComponentKind.YIELD),
    TransferPurpose.EMERGENCY_WITHDRAWAL: (AttributionGroup.EMERGENCY_WITHDRAWALS, ComponentKind.WITHDRAWAL),
}
_UNEXPLAINED_TRANSFER: Final = (AttributionGroup.UNEXPLAINED, ComponentKind.TRANSFER)


def _explain_cash(ledger: _ComponentLedger, start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs) -> None:
    asset_transfers = [transfer for transfer in nav_inputs.asset_transfers if transfer.token == end.asset]
    collections: list[AssetTransfer] = []
    for transfer in asset_transfers:
        if transfer.purpose is TransferPurpose.FEE_COLLECTION:
            collections.append(transfer)
            continue
        group, kind = _CASH_GROUPS.get(transfer.purpose, _UNEXPLAINED_TRANSFER)
        of_token = transfer.asset if group in (AttributionGroup.TRADING, AttributionGroup.OTC_IN_TRANSIT) else None
        of_token = end.asset if group in (AttributionGroup.EMERGENCY_WITHDRAWALS, AttributionGroup.UNEXPLAINED) else of_token
        ledger.add(ComponentKey(group, kind, of_token), transfer.amount, transfer.log_position)
    _explain_collections(ledger, start, end, nav_inputs, collections)
    unexplained = end.cash - start.cash - sum(transfer.amount for transfer in asset_transfers)
    ledger.add(ComponentKey(AttributionGroup.UNEXPLAINED, ComponentKind.NO_TRANSFER, end.asset), unexplained)


def _explain_collections(
    ledger: _ComponentLedger, start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs, collections: list[AssetTransfer]
) -> None:
    """Split the collections between the two kinds of fee, by what was accrued before, between and after."""
    paid = -sum(transfer.amount for transfer in collections)
    log_positions = [transfer.log_position for transfer in collections]
    accrued = {kind: sum(fee.amount for fee in nav_inputs.fees if fee.kind is kind) for kind in FeeInputKind}
    management = start.fees.accrued_management + accrued[FeeInputKind.MANAGEMENT_ACCRUED] - end.fees.accrued_management
    performance = start.fees.accrued_performance + accrued[FeeInputKind.PERFORMANCE_ACCRUED] - end.fees.accrued_performance
    if management < 0 or performance < 0 or management + performance != paid:
        ledger.add(ComponentKey(AttributionGroup.FEES, ComponentKind.MANAGEMENT_AND_PERFORMANCE), -paid, *log_positions)
        return
    ledger.add(
        ComponentKey(AttributionGroup.FEES, ComponentKind.MANAGEMENT), -management, *(log_positions if management else ())
    )
    ledger.add(
        ComponentKey(AttributionGroup.FEES, ComponentKind.PERFORMANCE), -performance, *(log_positions if performance else ())
    )


def _explain_orders(ledger: _ComponentLedger, start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs) -> None:
    """Move the money of delivered orders out of transit: it is what the tokens cost."""
    paid: dict[int, tuple[Address, int]] = {order.order_id: (order.token, order.paid) for order in start.in_transit}
    for transfer in nav_inputs.asset_transfers:
        if transfer.purpose is TransferPurpose.OTC_PAYMENT and transfer.order_id is not None and transfer.asset is not None:
            paid[transfer.order_id] = (transfer.asset, -transfer.amount)
    open_order_ids = {order.order_id for order in end.in_transit}
    for order_id, (token, amount) in sorted(paid.items()):
        if order_id not in open_order_ids:
            log_positions = [
                transfer.log_position
                for transfer in nav_inputs.asset_transfers
                if transfer.order_id == order_id and transfer.token == token
            ]
            ledger.add(ComponentKey(AttributionGroup.OTC_IN_TRANSIT, ComponentKind.ORDER, token), amount, *log_positions)
            ledger.add(ComponentKey(AttributionGroup.TRADING, ComponentKind.OTC, token), -amount, *log_positions)


def _explain_asset(
    ledger: _ComponentLedger, token: Address, start: FundSnapshot, end: FundSnapshot, all_transfers: Iterable[AssetTransfer]
) -> None:
    before, after = start.position(token), end.position(token)
    asset_transfers = [transfer for transfer in all_transfers if transfer.token == token and token != end.asset]
    moved = sum(transfer.amount for transfer in asset_transfers)
    # A side that does not know the token does not know its balance either: then the Transfers say what it was.
    held_before = before.balance if before else (after.balance if after else 0) - moved
    held_after = after.balance if after else held_before + moved
    known = after or before
    if known is None:
        return
    price = (after and after.price) or (before and before.price) or 0
    listed_before, listed_after = _listed(before), _listed(after)

    def at_end(quantity: int) -> int:
        return ledger.value(quantity, price, known.decimals)

    if before is not None and listed_before:
        ledger.add(ComponentKey(AttributionGroup.PRICE, ComponentKind.PRICE, token), at_end(held_before) - before.value)
    listed_value = 0 if listed_before else at_end(held_before)
    delisted_value = 0 if listed_after else at_end(held_after)
    ledger.add(ComponentKey(AttributionGroup.ASSET_LISTING, ComponentKind.LISTING, token), listed_value - delisted_value)
    quantities: dict[tuple[AttributionGroup, ComponentKind], list[AssetTransfer]] = {}
    for transfer in asset_transfers:
        quantities.setdefault(_TOKEN_GROUPS.get(transfer.purpose, _UNEXPLAINED_TRANSFER), []).append(transfer)
    for (group, kind), of_kind in quantities.items():
        amount = at_end(sum(transfer.amount for transfer in of_kind))
        ledger.add(ComponentKey(group, kind, token), amount, *(transfer.log_position for transfer in of_kind))
    ledger.add(
        ComponentKey(AttributionGroup.UNEXPLAINED, ComponentKind.NO_TRANSFER, token), at_end(held_after - held_before - moved)
    )
    ledger.division_count += 2  # the values of the two snapshots themselves


def _listed(position: AssetPosition | None) -> bool:
    return position is not None and position.is_listed


def _explain_liability(ledger: _ComponentLedger, start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs) -> None:
    explained = 0
    for redemption in nav_inputs.redemptions:
        amount = (
            -redemption.gross_amount if redemption.transition is RedemptionTransition.REQUESTED else redemption.gross_amount
        )
        ledger.add(
            ComponentKey(AttributionGroup.REDEMPTIONS, ComponentKind(redemption.transition)), amount, redemption.log_position
        )
        explained += amount
    unexplained = -(end.redemption_liability - start.redemption_liability) - explained
    ledger.add(ComponentKey(AttributionGroup.UNEXPLAINED, ComponentKind.LIABILITY), unexplained)


def _explain_redemption_fees(ledger: _ComponentLedger, start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs) -> None:
    """Attribute kept fees to the redeemer, and released fees to their withdrawal."""
    explained = 0
    for fee in nav_inputs.fees:
        if fee.kind is FeeInputKind.REDEMPTION_KEPT:
            key, amount = ComponentKey(AttributionGroup.REDEMPTIONS, ComponentKind.SETTLED), -fee.amount
        elif fee.kind is FeeInputKind.REDEMPTION_RELEASED:
            key, amount = ComponentKey(AttributionGroup.FEES, ComponentKind.REDEMPTION), int(fee.amount)
        else:
            continue
        ledger.add(key, amount, fee.log_position)
        explained += amount
    unexplained = -(end.withdrawable_redemption_fees - start.withdrawable_redemption_fees) - explained
    ledger.add(ComponentKey(AttributionGroup.UNEXPLAINED, ComponentKind.REDEMPTION_FEES), unexplained)


def _shortfall(snapshot: FundSnapshot) -> int:
    owed = snapshot.redemption_liability + snapshot.withdrawable_redemption_fees
    return max(owed - snapshot.vault.gross_assets, 0)
