"""`paimon nav explain`: explain the change of NAV between two snapshots."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from paimon.application.common.formatting import display
from paimon.application.nav.attribution import attribute_range
from paimon.application.nav.ranges import RangeEnd
from paimon.composition import open_app_context, require_ready
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.vault.nav_components import AttributionGroup, NavAttribution, NavComponent
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.text import pluralize
from paimon.settings import Settings, load_settings

app = CommandApp(help="Explain changes of NAV.", no_args_is_help=True)


@app.callback()
def nav() -> None:
    """Hold the commands about NAV, so that `nav` stays a group with one command."""


@app.command("explain")
def explain_command(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="A block, or a day or time in UTC (2026-01-31, 2026-01-31T12:00).")],
    end: Annotated[str | None, typer.Option("--to", help="The end, in the same form; the newest snapshot by default.")] = None,
) -> None:
    """Split the change of NAV between two snapshots by cause, to the last unit.

    Exit with 1 when a part is unexplained.
    """
    with exit_on_error():
        explanation = asyncio.run(
            _explain(load_settings(context.obj), _range_end(start), _range_end(end) if end else RangeEnd())
        )
    _print(explanation)
    if explanation.unexplained:
        raise typer.Exit(1)


def _range_end(text: str) -> RangeEnd:
    if text.isdecimal():
        return RangeEnd(block=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a block nor a day such as 2026-01-31") from None
    return RangeEnd(moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC))


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
