"""`paimon nav`: list official NAV, and explain its change between two snapshots."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from paimon.application.common.formatting import display
from paimon.application.nav.attribution import attribute_range
from paimon.application.nav.history import HistoryPoint, HistoryQuery, Interval, NavHistory, read_history
from paimon.application.nav.ranges import RangeEnd
from paimon.composition import open_app_context, require_ready
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.vault.nav_components import AttributionGroup, NavAttribution, NavComponent
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, FirstDay, LastDay, Table, minute, require_order, shares_text
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import pluralize
from paimon.gateway.rest.views.nav import NavAttributionView
from paimon.gateway.views.nav_history import nav_history_document
from paimon.settings import Settings, load_settings

app = CommandApp(help="List official NAV and explain its changes.", no_args_is_help=True)


@app.command("history")
def history_command(
    context: typer.Context,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    interval: Annotated[Interval, typer.Option(help="One point for each.")] = Interval.DAILY,
    as_json: AsJson = False,
) -> None:
    """List official NAV points, oldest first: the last point of each hour, day or week. Without --from, of the last 30 days."""
    require_order(first_day, last_day)
    with exit_on_error():
        settings = load_settings(context.obj)
        history = asyncio.run(_read_history(settings, HistoryQuery(first_day, last_day, interval)))
    if as_json:
        print_json(nav_history_document(history))
    else:
        print("\n".join(_history_lines(history)))


async def _read_history(settings: Settings, query: HistoryQuery) -> NavHistory:
    async with opened_database(settings, process="nav") as database, database.read() as session:
        return await read_history(session, query, points_max=settings.nav.history_points_max)


def _history_lines(history: NavHistory) -> Iterator[str]:
    def money(amount: int) -> str:
        return display(amount, history.asset_decimals)

    columns: tuple[Column[HistoryPoint], ...] = (
        Column("TIME", lambda point: minute(point.time)),
        Column("BLOCK", lambda point: point.block_number, is_number=True),
        Column("NAV PER SHARE", lambda point: display(point.nav_per_share, 18), is_number=True),
        Column("NET ASSETS", lambda point: money(point.net_assets), is_number=True),
        Column("SHARES", lambda point: shares_text(point.effective_supply), is_number=True),
    )
    yield from Table("official NAV points", columns).lines(history.points) if history.points else ()
    yield pluralize(len(history.points), "official NAV point") if history.points else "no official NAV points in these days"
    if (withheld := history.withheld) is not None:
        yield f"WITHHELD: {pluralize(withheld.count, 'point')} since {minute(withheld.since)} UTC: {withheld.reason}"


def _range_end(text: str) -> RangeEnd:
    if text.isdecimal():
        return RangeEnd(block=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a block nor a day such as 2026-01-31") from None
    return RangeEnd(moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _range_option(name: str, help_text: str) -> Any:
    return typer.Option(name, metavar="BLOCK|DAY", parser=_range_end, help=help_text, show_default=False)


@app.command("explain")
def explain_command(
    context: typer.Context,
    start: Annotated[RangeEnd, _range_option("--from", "A block, or a day or time in UTC (2026-01-31, 2026-01-31T12:00).")],
    end: Annotated[RangeEnd | None, _range_option("--to", "The end, in the same form; the newest snapshot by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Split the change of NAV between two snapshots by cause, to the last unit.

    Exit with 1 when a part is unexplained.
    """
    with exit_on_error():
        explanation = asyncio.run(_explain(load_settings(context.obj), start, end or RangeEnd()))
    if as_json:
        print_json(json_of(NavAttributionView.of(explanation)))
    else:
        _print(explanation)
    if explanation.unexplained:
        raise typer.Exit(1)


async def _explain(settings: Settings, start: RangeEnd, end: RangeEnd) -> NavAttribution:
    async with open_app_context(settings, process="nav") as app_context:
        await require_ready(app_context)
        return await attribute_range(app_context.database, start, end, steps_max=settings.nav.attribution_intervals_max)


def _print(explanation: NavAttribution) -> None:
    def money(amount: int) -> str:
        return f"{'-' if amount < 0 else ''}{display(abs(amount), explanation.end.asset_decimals)}"

    def share(amount: int) -> str:
        return f"{'-' if amount < 0 else ''}{display(abs(amount), 18)}"

    def line(name: str, amount: int, per_share: int, note: str = "") -> None:
        print(f"{name:<48} {money(amount):>36} {share(per_share):>24}{note}")

    for name, snapshot in (("from", explanation.start), ("to", explanation.end)):
        first = ", the fund's first snapshot" if snapshot is explanation.start and explanation.from_first_snapshot else ""
        print(f"{name:<6} block {snapshot.at} of {snapshot.at.timestamp:%Y-%m-%d %H:%M:%S} UTC{first}")
    print(f"{'':<48} {'net assets':>36} {'per share':>24}")
    line("before", explanation.start.net_assets, explanation.start.nav_per_share)
    for group in AttributionGroup:
        if components := explanation.in_group(group):
            line(group.replace("_", " "), explanation.total(group), explanation.total_per_share(group))
            for component in components:
                line(f"    {_name(component)}", component.amount, component.per_share, _events(component))
    line("after", explanation.end.net_assets, explanation.end.nav_per_share)
    print(f"explained through {pluralize(explanation.interval_count, 'interval')}; unexplained: {len(explanation.unexplained)}")


def _name(component: NavComponent) -> str:
    return component.key.kind + (f" {checksum(component.key.token)[:10]}…" if component.key.token else "")


def _events(component: NavComponent) -> str:
    if not component.log_positions:
        return ""
    last = component.log_positions[-1]
    more = f" and {len(component.log_positions) - 1} more" if len(component.log_positions) > 1 else ""
    return f"  block {last.block_number} {hex0x(last.tx_hash)[:12]}…{more}"
