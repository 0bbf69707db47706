"""The section on performance: the return of a share with its parts, its risk, and what each asset and fee added."""

from collections.abc import Iterable
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.report.document import Column, DraftReason, Figure, Section, SourceKind, Table, Unit, Value
from paimon.domain.report.inputs import ReportInputs
from paimon.domain.report.returns import annualised, max_drawdown, net_return, relative, volatility
from paimon.domain.report.sections.common import recorded_between
from paimon.domain.vault.nav_components import CAPITAL_FLOW_GROUPS, AttributionGroup, NavAttribution, NavComponent

_FEE_COLUMNS: Final = (Column("kind", Unit.NAME), Column("amount", Unit.MONEY), Column("perShare", Unit.NAV))
_ASSET_COLUMNS: Final = (
    Column("token", Unit.TEXT),
    Column("tier", Unit.NAME),
    Column("fromPrice", Unit.MONEY),
    Column("fromYield", Unit.MONEY),
    Column("fromOther", Unit.MONEY),
    Column("amount", Unit.MONEY),
    Column("perShare", Unit.NAV),
)


def performance_section(inputs: ReportInputs) -> Section:
    """Return the return of a share after fees, and its parts, which add up to the change of NAV per share.

    Flows of others move NAV per share by dilution: shares given or taken at another price than NAV.
    """
    attribution, opening, closing = inputs.attribution, inputs.opening, inputs.closing
    if attribution is None or opening is None or closing is None:
        return Section("performance", omitted=DraftReason.NO_SNAPSHOT)
    parts, points = recorded_between(inputs, SourceKind.NAV_ATTRIBUTION), recorded_between(inputs, SourceKind.NAV_POINTS)
    both = recorded_between(inputs, SourceKind.BOTH_SNAPSHOTS)
    before, after = opening.snapshot.nav_per_share, closing.snapshot.nav_per_share
    fees = attribution.total_per_share(AttributionGroup.FEES)
    dilution = sum(attribution.total_per_share(group) for group in CAPITAL_FLOW_GROUPS)
    result = attribution.change_per_share - fees - dilution
    net, fall = net_return(before, after), max_drawdown(inputs.nav_history)
    lasted = closing.at.timestamp - opening.at.timestamp
    return Section(
        "performance",
        figures=(
            Figure("netReturn", net, Unit.RETURN, both),
            Figure("netReturnAnnualised", None if net is None else annualised(net, lasted), Unit.RETURN, both),
            Figure("grossReturn", relative(result + dilution, before), Unit.RETURN, parts),
            Figure("resultPerShare", result, Unit.NAV, parts),
            Figure("feesPerShare", fees, Unit.NAV, parts),
            Figure("dilutionPerShare", dilution, Unit.NAV, parts),
            Figure("dilutionReturn", relative(dilution, before), Unit.RETURN, parts),
            Figure("volatility", volatility(inputs.nav_history), Unit.RETURN, points),
            Figure("drawdown", fall.depth if fall else None, Unit.RETURN, points),
            Figure("drawdownFrom", fall.peak_at if fall else None, Unit.TIME, points),
            Figure("drawdownTo", fall.trough_at if fall else None, Unit.TIME, points),
        ),
        tables=tuple(
            Table(key, columns, rows, parts)
            for key, columns, rows in (
                ("fees", _FEE_COLUMNS, _fee_rows(attribution)),
                ("assets", _ASSET_COLUMNS, _asset_rows(attribution)),
            )
            if rows
        ),
    )


def _fee_rows(attribution: NavAttribution) -> tuple[tuple[Value, ...], ...]:
    return tuple(
        (component.key.kind.value, component.amount, component.per_share)
        for component in attribution.in_group(AttributionGroup.FEES)
    )


def _asset_rows(attribution: NavAttribution) -> tuple[tuple[Value, ...], ...]:
    """Return what each asset added, largest change first."""
    by_token: dict[Address, list[NavComponent]] = {}
    for component in attribution.components:
        if component.key.token is not None:
            by_token.setdefault(component.key.token, []).append(component)
    tiers = {asset.token: asset.tier for snapshot in (attribution.start, attribution.end) for asset in snapshot.assets}
    ordered = sorted(by_token.items(), key=lambda item: (-abs(_amount(item[1])), item[0]))
    return tuple(_asset_row(token, tiers.get(token), components) for token, components in ordered)


def _asset_row(token: Address, tier: Tier | None, components: Iterable[NavComponent]) -> tuple[Value, ...]:
    components = list(components)
    price = _amount(component for component in components if component.key.group is AttributionGroup.PRICE)
    earned = _amount(component for component in components if component.key.group is AttributionGroup.YIELD)
    total = _amount(components)
    per_share = sum(component.per_share for component in components)
    return (checksum(token), tier.value if tier else None, price, earned, total - price - earned, total, per_share)


def _amount(components: Iterable[NavComponent]) -> int:
    return sum(component.amount for component in components)
