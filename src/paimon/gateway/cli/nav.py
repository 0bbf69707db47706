"""`paimon nav explain`: why NAV moved between two snapshots."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from paimon.application.common.formatting import display
from paimon.application.nav.as_of import BlockNotRecorded
from paimon.application.nav.attribution import explain_range
from paimon.application.nav.overview import SnapshotNotFound
from paimon.application.nav.ranges import NothingBetween, Point
from paimon.composition import open_house, require_ready
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.vault.nav_components import Explanation, Group, Part
from paimon.gateway.cli.process import explained, refuse
from paimon.gateway.cli.text import counted
from paimon.settings import Settings, load_settings

app = typer.Typer(help="NAV: why it moved.")


@app.callback()
def nav() -> None:
    """NAV: why it moved."""


@app.command("explain")
def explain_now(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="Block, or UTC day or moment (2026-01-31, 2026-01-31T12:00).")],
    end: Annotated[str | None, typer.Option("--to", help="The same; the newest snapshot unless given.")] = None,
) -> None:
    """Split the change of NAV between two snapshots, to the last unit; exit with 1 when a part is unexplained."""
    with explained():
        told = asyncio.run(_explain(load_settings(context.obj), _point(start), _point(end) if end else Point()))
    _print(told)
    if told.unexplained:
        raise typer.Exit(1)


def _point(given: str) -> Point:
    if given.isdecimal():
        return Point(block=int(given))
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is neither a block nor a day such as 2026-01-31") from None
    return Point(moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC))


async def _explain(settings: Settings, start: Point, end: Point) -> Explanation:
    async with open_house(settings, process="nav") as house:
        await require_ready(house)
        try:
            return await explain_range(house.database, start, end, steps_max=settings.nav.explain_steps_max)
        except (BlockNotRecorded, SnapshotNotFound, NothingBetween) as error:
            refuse(str(error))


def _print(told: Explanation) -> None:
    def money(amount: int) -> str:
        return f"{'-' if amount < 0 else ''}{display(abs(amount), told.end.asset_decimals)}"

    def share(amount: int) -> str:
        return f"{'-' if amount < 0 else ''}{display(abs(amount), 18)}"

    def line(name: str, amount: int, per_share: int, note: str = "") -> None:
        print(f"{name:<48} {money(amount):>36} {share(per_share):>24}{note}")

    for name, snapshot in (("from", told.start), ("to", told.end)):
        first = ", the fund's first snapshot" if snapshot is told.start and told.since_first else ""
        print(f"{name:<6} block {snapshot.at} of {snapshot.at.timestamp:%Y-%m-%d %H:%M:%S} UTC{first}")
    print(f"{'':<48} {'net assets':>36} {'per share':>24}")
    line("before", told.start.net_assets, told.start.nav_per_share)
    for group in Group:
        if parts := told.of(group):
            line(group.replace("_", " "), told.total(group), told.total_per_share(group))
            for part in parts:
                line(f"    {_name(part)}", part.amount, part.per_share, _events(part))
    line("after", told.end.net_assets, told.end.nav_per_share)
    print(f"explained through {counted(told.steps, 'interval')}; unexplained: {len(told.unexplained)}")


def _name(part: Part) -> str:
    return part.label.kind + (f" {checksum(part.label.token)[:10]}…" if part.label.token else "")


def _events(part: Part) -> str:
    if not part.places:
        return ""
    last = part.places[-1]
    more = f" and {len(part.places) - 1} more" if len(part.places) > 1 else ""
    return f"  block {last.block_number} {hex0x(last.tx_hash)[:12]}…{more}"
