"""`paimon prices`: show how each asset's price is judged, and what its sources said."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from paimon.application.common.formatting import display
from paimon.application.oracle.queries import JudgedPrice, list_observations
from paimon.application.vault.price_list import PricedHolding, PriceList, list_prices
from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.domain.price.observation import PRICE_DECIMALS
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, minute, run_list
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.prices import PriceObservationView, PricesView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show the assets' prices, their sources, and whether each is trusted.", no_args_is_help=True)


@app.command("list")
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List the assets' prices, and whether each is trusted. Exit with 1 when one is not."""
    with exit_on_error():
        prices = asyncio.run(_read_prices(load_settings(context.obj)))
    if as_json:
        print_json(json_of(PricesView.of(prices)))
    else:
        print("\n".join(_lines(prices)))
    if any(not holding.judged.is_trusted for holding in prices.holdings):
        raise typer.Exit(1)


async def _read_prices(settings: Settings) -> PriceList:
    async with opened_database(settings, process="prices") as database, database.read() as session:
        return await list_prices(session)


def _lines(prices: PriceList) -> Iterator[str]:
    columns: tuple[Column[PricedHolding], ...] = (
        Column("ASSET", lambda holding: checksum(holding.judged.token)),
        Column("TIER", lambda holding: holding.position.tier),
        Column("TRUST", lambda holding: holding.judged.trust),
        Column("PRICE", lambda holding: _price(holding.judged.price), is_number=True),
        Column("CONTRACTS", lambda holding: _price(holding.judged.contract_price), is_number=True),
        Column("VALUED", lambda holding: None if holding.judged.valued_at is None else minute(holding.judged.valued_at)),
        Column("MISSED", lambda holding: holding.judged.missed, is_number=True),
    )
    yield from Table("prices", columns).lines(prices.holdings)
    for holding in prices.holdings:
        yield from _details(holding.judged)
    yield f"at block {prices.at.number} of {minute(prices.at.timestamp)} UTC"


def _details(judged: JudgedPrice) -> Iterator[str]:
    for source in judged.sources:
        note = f": {source.note}" if source.note else ""
        yield f"  {checksum(judged.token)[:10]}… {source.name} {source.use} {_price(source.price) or source.fault}{note}"
    for reason in judged.reasons:
        yield f"  {checksum(judged.token)[:10]}… UNTRUSTED: {reason}"


def _price(price: int | None) -> str | None:
    return None if price is None else display(price, PRICE_DECIMALS)


@app.command("history")
def history_command(
    context: typer.Context,
    token: Annotated[Address, typer.Argument(metavar="TOKEN", parser=parse_address, help="The asset's address.")],
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List what the sources said of an asset's price, latest first."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[PriceObservationView]:
        found = await list_observations(session, page, token)
        return Listing[PriceObservationView].page(found.mapped(PriceObservationView.of))

    run_list(context, read, _history_table, page=page, limit=limit, as_json=as_json, is_filtered=True)


def _history_table(_money: Money) -> Table[PriceObservationView]:
    return Table(
        "observations",
        (
            Column("SEEN", lambda one: minute(one.seen_at)),
            Column("SOURCE", lambda one: one.source),
            Column("PRICE", lambda one: one.price_display, is_number=True),
            Column("VALUED", lambda one: minute(one.valued_at)),
            Column("BLOCK", lambda one: one.block_number, is_number=True),
            Column("FAULT", lambda one: one.fault),
            Column("", lambda one: one.detail or ""),
        ),
    )
