"""Why NAV is not what it was: the change between two snapshots, split exactly, to the last unit.

Net assets first. With cash C, assets V = q × p, liability L and redemption fees F kept in the vault,

    ΔNA = ΔC + Σ ΔV − ΔL − ΔF

and every term is taken apart by what is known of it:

    ΔC   the Transfers of the vault's asset, by purpose
    ΔV   price      value(q0, p1) − value(q0, p0): what was held before moved in price
         flows      each purpose's tokens at p1: a purchase is worth its tokens less the money paid, and so on
         listing    an asset that joins or leaves the list brings or takes its value with it
    ΔL   requests and their ends        ΔF   fees kept and released

What is left of any term is *unexplained*: money, tokens, a liability or shares that no log tells of. It is shown and
alarmed, never folded into rounding. *Rounding* is what integer division leaves: below one unit for each division made.

Per share, in the order in which most intervals happen (snapshots follow the events that move value, prices drift before
them): performance on the shares of before, then deposits, then requests, each the difference between two NAVs; so the
parts add up whatever they are. The last step, shares that no log tells of, is unexplained too.

Paying an OTC order lowers net assets until delivery (deployed behaviour 5): the money is *in transit*, and only what the
delivered tokens are worth more or less than it is a trading result. Accruing a fee changes nothing here, collecting it
does (behaviour 4).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from paimon.domain.asset.token_transfer import Purpose
from paimon.domain.kernel.chain import Address, LogPlace
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot, worth
from paimon.domain.vault.nav_components import Explanation, Group, Label, Part
from paimon.domain.vault.nav_inputs import FeeMove, Flow, Happenings, RequestStep
from paimon.domain.vault.nav_per_share import split_per_share


def explain(start: FundSnapshot, end: FundSnapshot, happened: Happenings) -> Explanation:
    """Split the change from `start` to `end`, given everything that happened between their blocks."""
    ledger = _Ledger()
    _explain_cash(ledger, start, end, happened)
    _explain_orders(ledger, start, end, happened)
    for token in sorted({each.token for snapshot in (start, end) for each in snapshot.assets}):
        _explain_asset(ledger, token, start, end, happened.flows)
    _explain_liability(ledger, start, end, happened)
    _explain_redemption_fees(ledger, start, end, happened)
    known = sum(each.amount for each in ledger.parts.values())
    shortfall = _shortfall(end) - _shortfall(start)
    ledger.add(Label(Group.SHORTFALL, "owed beyond all assets"), shortfall)
    ledger.add(Label(Group.ROUNDING, "division"), end.net_assets - start.net_assets - known - shortfall)
    parts = split_per_share(ledger.parts.values(), start, end, happened)
    return Explanation(start, end, parts, ledger.divisions)


class _Ledger:
    """Parts being added up. Every integer division of the explanation goes through it, so that rounding has a bound."""

    def __init__(self) -> None:
        self.parts: dict[Label, Part] = {}
        self.divisions = 0

    def add(self, label: Label, amount: int, *places: LogPlace) -> None:
        if amount or places:
            before = self.parts.get(label, Part(label))
            told = before.places + tuple(each for each in places if each not in before.places)
            self.parts[label] = replace(before, amount=before.amount + amount, places=told)

    def value(self, quantity: int, price: int, decimals: int) -> int:
        """Tokens at a price; fewer than none are worth less than nothing."""
        self.divisions += 1
        value = worth(abs(quantity), price, decimals)
        return value if quantity >= 0 else -value


_MONEY: Final = {
    Purpose.DEPOSIT: (Group.DEPOSITS, "deposit"),
    Purpose.REDEMPTION_PAYOUT: (Group.REDEMPTIONS, "settled"),
    Purpose.PURCHASE: (Group.TRADING, "purchase"),
    Purpose.SALE: (Group.TRADING, "sale"),
    Purpose.OTC_PAYMENT: (Group.OTC_IN_TRANSIT, "order"),
    Purpose.REDEMPTION_FEE_WITHDRAWAL: (Group.FEES, "redemption"),
    Purpose.YIELD: (Group.YIELD, "yield"),
    Purpose.EMERGENCY_WITHDRAWAL: (Group.EMERGENCY_WITHDRAWALS, "withdrawal"),
}
_TOKENS: Final = {
    Purpose.PURCHASE: (Group.TRADING, "purchase"),
    Purpose.SALE: (Group.TRADING, "sale"),
    Purpose.OTC_DELIVERY: (Group.TRADING, "otc"),
    Purpose.YIELD: (Group.YIELD, "yield"),
    Purpose.EMERGENCY_WITHDRAWAL: (Group.EMERGENCY_WITHDRAWALS, "withdrawal"),
}
_UNTOLD: Final = (Group.UNEXPLAINED, "transfer")


def _explain_cash(ledger: _Ledger, start: FundSnapshot, end: FundSnapshot, happened: Happenings) -> None:
    flows = [each for each in happened.flows if each.token == end.asset]
    collections: list[Flow] = []
    for flow in flows:
        if flow.purpose is Purpose.FEE_COLLECTION:
            collections.append(flow)
            continue
        group, kind = _MONEY.get(flow.purpose, _UNTOLD)
        of_token = flow.asset if group in (Group.TRADING, Group.OTC_IN_TRANSIT) else None
        of_token = end.asset if group in (Group.EMERGENCY_WITHDRAWALS, Group.UNEXPLAINED) else of_token
        ledger.add(Label(group, kind, of_token), flow.amount, flow.place)
    _explain_collections(ledger, start, end, happened, collections)
    untold = end.cash - start.cash - sum(each.amount for each in flows)
    ledger.add(Label(Group.UNEXPLAINED, "no transfer", end.asset), untold)


def _explain_collections(
    ledger: _Ledger, start: FundSnapshot, end: FundSnapshot, happened: Happenings, collections: list[Flow]
) -> None:
    """One Transfer pays both kinds of fee; what of each is known from what was accrued before, meanwhile and after."""
    paid = -sum(each.amount for each in collections)
    places = [each.place for each in collections]
    accrued = {move: sum(each.amount for each in happened.fees if each.move is move) for move in FeeMove}
    management = start.fees.accrued_management + accrued[FeeMove.MANAGEMENT_ACCRUED] - end.fees.accrued_management
    performance = start.fees.accrued_performance + accrued[FeeMove.PERFORMANCE_ACCRUED] - end.fees.accrued_performance
    if management < 0 or performance < 0 or management + performance != paid:
        ledger.add(Label(Group.FEES, "management and performance"), -paid, *places)
        return
    ledger.add(Label(Group.FEES, "management"), -management, *(places if management else ()))
    ledger.add(Label(Group.FEES, "performance"), -performance, *(places if performance else ()))


def _explain_orders(ledger: _Ledger, start: FundSnapshot, end: FundSnapshot, happened: Happenings) -> None:
    """Money of orders that left the transit: it is no longer on its way, and was what the tokens cost."""
    paid: dict[int, tuple[Address, int]] = {each.order_id: (each.token, each.paid) for each in start.in_transit}
    for flow in happened.flows:
        if flow.purpose is Purpose.OTC_PAYMENT and flow.order_id is not None and flow.asset is not None:
            paid[flow.order_id] = (flow.asset, -flow.amount)
    still = {each.order_id for each in end.in_transit}
    for order_id, (token, amount) in sorted(paid.items()):
        if order_id not in still:
            places = [each.place for each in happened.flows if each.order_id == order_id and each.token == token]
            ledger.add(Label(Group.OTC_IN_TRANSIT, "order", token), amount, *places)
            ledger.add(Label(Group.TRADING, "otc", token), -amount, *places)


def _explain_asset(ledger: _Ledger, token: Address, start: FundSnapshot, end: FundSnapshot, all_flows: Iterable[Flow]) -> None:
    before, after = start.position(token), end.position(token)
    flows = [each for each in all_flows if each.token == token and token != end.asset]
    moved = sum(each.amount for each in flows)
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
        ledger.add(Label(Group.PRICE, "price", token), at_end(held_before) - before.value)
    joined = 0 if listed_before else at_end(held_before)
    left = 0 if listed_after else at_end(held_after)
    ledger.add(Label(Group.LISTING, "listing", token), joined - left)
    quantities: dict[tuple[Group, str], list[Flow]] = {}
    for flow in flows:
        quantities.setdefault(_TOKENS.get(flow.purpose, _UNTOLD), []).append(flow)
    for (group, kind), of_kind in quantities.items():
        amount = at_end(sum(each.amount for each in of_kind))
        ledger.add(Label(group, kind, token), amount, *(each.place for each in of_kind))
    ledger.add(Label(Group.UNEXPLAINED, "no transfer", token), at_end(held_after - held_before - moved))
    ledger.divisions += 2  # the values of the two snapshots themselves


def _listed(position: AssetPosition | None) -> bool:
    return position is not None and position.active


def _explain_liability(ledger: _Ledger, start: FundSnapshot, end: FundSnapshot, happened: Happenings) -> None:
    explained = 0
    for each in happened.redemptions:
        amount = -each.gross_amount if each.step is RequestStep.REQUESTED else each.gross_amount
        ledger.add(Label(Group.REDEMPTIONS, each.step), amount, each.place)
        explained += amount
    untold = -(end.redemption_liability - start.redemption_liability) - explained
    ledger.add(Label(Group.UNEXPLAINED, "liability"), untold)


def _explain_redemption_fees(ledger: _Ledger, start: FundSnapshot, end: FundSnapshot, happened: Happenings) -> None:
    """A fee that is kept at a settlement was the redeemer's; one that is released goes out with its withdrawal."""
    explained = 0
    for each in happened.fees:
        if each.move is FeeMove.REDEMPTION_KEPT:
            label, amount = Label(Group.REDEMPTIONS, "settled"), -each.amount
        elif each.move is FeeMove.REDEMPTION_RELEASED:
            label, amount = Label(Group.FEES, "redemption"), int(each.amount)
        else:
            continue
        ledger.add(label, amount, each.place)
        explained += amount
    untold = -(end.withdrawable_redemption_fees - start.withdrawable_redemption_fees) - explained
    ledger.add(Label(Group.UNEXPLAINED, "redemption fees"), untold)


def _shortfall(snapshot: FundSnapshot) -> int:
    owed = snapshot.redemption_liability + snapshot.withdrawable_redemption_fees
    return max(owed - snapshot.vault.gross_assets, 0)
