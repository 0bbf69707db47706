"""Sources beside the adapter: a feed on a real chain and web services that answer well, badly, or without end."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_utils.address import to_checksum_address
from sqlalchemy import select
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.prices import ANY_PRICE_SETTINGS
from tests.support.scenarios.fund_activity import snapshot_now

from paimon.application.oracle.observe import observe_prices
from paimon.application.oracle.queries import JudgedPrice, load_judged_prices
from paimon.composition import AppContext
from paimon.domain.kernel.chain import parse_address
from paimon.domain.price.agreement import SourceUse
from paimon.domain.price.observation import PriceFault
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.infrastructure.database.models.ops.price import PriceObservationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.settings import PricesSettings
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x07")
PUBLIC_KEY: Final = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
SYMBOL: Final = "RWAC"


def signed(document: dict[str, Any]) -> web.Response:
    body = json.dumps(document).encode()
    return web.Response(body=body, content_type="application/json", headers={"X-Signature-Ed25519": KEY.sign(body).hex()})


@dataclass
class WebSources:
    """Web services by path, on one local port."""

    port: int = 0
    answers: dict[str, Callable[[web.Request], web.Response | Awaitable[web.Response]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        answer = self.answers[request.path.removeprefix("/")](request)
        return answer if isinstance(answer, web.Response) else await answer


@pytest.fixture
async def web_sources() -> AsyncIterator[WebSources]:
    sources = WebSources()
    application = web.Application()
    application.router.add_get("/{name}", sources.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sources.port = runner.addresses[0][1]
    yield sources
    await runner.cleanup()


@dataclass
class Feed:
    """A feed on the fund's chain; each publication is a round of its own."""

    fund: TestFund
    address: str
    rounds: int = 0

    def publish(self, answer: int, *, age_seconds: int = 0, answered_in: int | None = None) -> None:
        self.rounds += 1
        at = self.fund.node.rpc.head().timestamp - age_seconds
        self.call("publish", answer, at, self.rounds, self.rounds if answered_in is None else answered_in)

    def call(self, function: str, *args: Any) -> None:
        self.fund.send_to(ADMIN, "PriceFeed", self.address, function, *args)


def deploy_feed(fund: TestFund, description: str) -> Feed:
    with fund.chain() as chain:
        address = chain.deploy(fund.accounts.account(ADMIN), "PriceFeed", 8, description)
        fund.mine(1)
        chain.confirm()
    return Feed(fund, address)


def toml_of(values: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def web_source(sources: WebSources, name: str, **changes: Any) -> str:
    url = f"http://127.0.0.1:{sources.port}/{name}"
    values = {"name": name, "kind": "http", "url": url, "price_at": "nav", "time_at": "at", "public_key": PUBLIC_KEY}
    return "[[assets.sources]]\n" + toml_of(values | changes)


def feed_source(feed: Feed, name: str, table: str, **changes: Any) -> str:
    values = {"name": name, "kind": "aggregator", "address": feed.address, "decimals": 8, "description": name}
    return f"[[{table}]]\n" + toml_of(values | changes)


def prices_of(tmp_path: Path, fund: TestFund, *sources: str, parity: tuple[str, ...] = ()) -> PricesSettings:
    token = fund.asset(SYMBOL).address
    calendar = "heartbeat_seconds = 86400"
    number = len(list(tmp_path.glob("prices-*.toml")))
    path = tmp_path / f"prices-{number}.toml"
    asset = f'[[assets]]\ntoken = "{token}"\n{calendar}'
    path.write_text("\n".join((f"[parity]\n{calendar}", *parity, asset, *sources)))
    narrow = {"tolerance_bps": 300, "step_bps": 10**9}
    return PricesSettings(
        **(ANY_PRICE_SETTINGS | dict.fromkeys(("l1", "l2", "l3"), narrow)), file=path, source_timeout_seconds=1
    )


async def observed(app_context: AppContext, fund: TestFund, prices: PricesSettings) -> JudgedPrice:
    """Ask the sources, take a snapshot, and return the judgement of the asset."""
    await record_all(app_context, fund)
    await observe_prices(app_context.database, app_context.contracts, prices)
    await snapshot_now(app_context, fund, prices=prices.policy())
    async with app_context.database.read() as session:
        return (await load_judged_prices(session))[parse_address(fund.asset(SYMBOL).address)]


def own_price(fund: TestFund) -> int:
    with fund.chain() as chain:
        address = to_checksum_address(fund.deployment.oracle_adapter)
        return int(chain.read("OracleAdapter", address, "getPrice", fund.asset(SYMBOL).address))


async def test_bad_web_sources_stop_no_good_one(
    app_context: AppContext, fund: TestFund, web_sources: WebSources, tmp_path: Path
) -> None:
    price, now = own_price(fund) / WAD, fund.node.rpc.head().timestamp

    def unsigned(_request: web.Request) -> web.Response:
        return web.json_response({"nav": price, "at": now})

    async def hanging(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    bomb = gzip.compress(b" " * 10_000_000)
    web_sources.answers = {
        "good": lambda _request: signed({"nav": price, "at": now}),
        "unsigned": unsigned,
        "hanging": hanging,
        "bomb": lambda _request: web.Response(body=bomb, headers={"Content-Encoding": "gzip"}),
        "moved": lambda _request: web.Response(status=302, headers={"Location": "/good"}),
        "broken": lambda _request: web.Response(status=500),
        "negative": lambda _request: signed({"nav": -1, "at": now}),
        "zero": lambda _request: signed({"nav": 0, "at": now}),
        "huge": lambda _request: signed({"nav": "1e30", "at": now}),
        "ahead": lambda _request: signed({"nav": price, "at": 4_000_000_000}),
        "frozen": lambda _request: signed({"nav": price / 2, "at": now - 400_000}),
    }
    listed = [web_source(web_sources, name) for name in web_sources.answers]
    gone = web_source(web_sources, "gone", url="http://127.0.0.1:9/")
    found = await observed(app_context, fund, prices_of(tmp_path, fund, *listed, gone))
    faults = {source.name: source.fault for source in found.sources}
    assert faults == {
        "adapter": None,
        "good": None,
        "unsigned": PriceFault.NOT_SIGNED,
        "hanging": PriceFault.UNAVAILABLE,
        "bomb": PriceFault.UNREADABLE,
        "moved": PriceFault.UNAVAILABLE,
        "broken": PriceFault.UNAVAILABLE,
        "gone": PriceFault.UNAVAILABLE,
        "negative": PriceFault.NOT_POSITIVE,
        "zero": PriceFault.NOT_POSITIVE,
        "huge": PriceFault.TOO_LARGE,
        "ahead": PriceFault.IN_FUTURE,
        "frozen": None,
    }
    uses = {source.name: source.use for source in found.sources}
    assert {name for name, use in uses.items() if use is SourceUse.COUNTED} == {"adapter", "good"}
    assert uses["frozen"] is SourceUse.STALE
    assert (found.is_trusted, found.price) == (True, own_price(fund))
    assert sorted(web_sources.asked) == sorted(f"/{name}" for name in web_sources.answers), "a redirect was followed"


async def test_source_that_is_taken_out_of_the_file_counts_no_more(
    app_context: AppContext, fund: TestFund, web_sources: WebSources, tmp_path: Path
) -> None:
    now = fund.node.rpc.head().timestamp
    web_sources.answers = {"wrong": lambda _request: signed({"nav": own_price(fund) / WAD * 2, "at": now})}
    with_it = prices_of(tmp_path, fund, web_source(web_sources, "wrong"))
    assert not (await observed(app_context, fund, with_it)).is_trusted
    without = prices_of(tmp_path, fund)
    fund.mine(2)
    found = await observed(app_context, fund, without)
    assert (found.is_trusted, [source.name for source in found.sources]) == (True, ["adapter"])


async def test_feed_on_chain_is_read_at_the_recorded_block_with_its_faults(
    app_context: AppContext, fund: TestFund, tmp_path: Path
) -> None:
    feed, answer = deploy_feed(fund, "RWAC / USDT"), own_price(fund) // 10**10
    prices = prices_of(tmp_path, fund, feed_source(feed, "RWAC / USDT", "assets.sources"))

    async def seen() -> tuple[PriceFault | None, bool]:
        found = await observed(app_context, fund, prices)
        return next(source.fault for source in found.sources if source.name == "RWAC / USDT"), found.is_trusted

    feed.publish(answer)
    assert await seen() == (None, True)
    feed.publish(answer * 3 // 2)
    assert await seen() == (None, False)  # it and the adapter do not agree
    feed.publish(answer, answered_in=1)
    assert await seen() == (PriceFault.ROUND_INCOMPLETE, True)
    feed.publish(answer, age_seconds=-1_000)
    assert await seen() == (PriceFault.IN_FUTURE, True)
    feed.publish(answer)
    feed.call("change", 8, answer - answer // 200)
    assert await seen() == (PriceFault.AT_BOUND, True)
    feed.call("change", 10, 1)
    assert await seen() == (PriceFault.FEED_CHANGED, True)
    feed.address = fund.deployment.vault
    prices = prices_of(tmp_path, fund, feed_source(feed, "RWAC / USDT", "assets.sources"))
    assert await seen() == (PriceFault.UNAVAILABLE, True)


async def test_price_in_dollars_follows_a_usdt_that_loses_its_parity(
    app_context: AppContext, fund: TestFund, web_sources: WebSources, tmp_path: Path
) -> None:
    """A stable adapter is wrong when the dollar is not worth one USDT any more."""
    parity, price = deploy_feed(fund, "USDT / USD"), own_price(fund) / WAD
    web_sources.answers = {"issuer": lambda _request: signed({"nav": price, "at": fund.node.rpc.head().timestamp})}
    listed = web_source(web_sources, "issuer", quote="USD")
    alone = await observed(app_context, fund, prices_of(tmp_path, fund, listed))
    assert [source.fault for source in alone.sources if source.name == "issuer"] == [PriceFault.NO_PARITY]

    prices = prices_of(tmp_path, fund, listed, parity=(feed_source(parity, "USDT / USD", "parity.sources", quote="USD"),))
    parity.publish(10**8)
    assert (await observed(app_context, fund, prices)).is_trusted
    assert await parity_events(app_context) == []
    parity.publish(99_400_000)
    assert (await observed(app_context, fund, prices)).is_trusted  # 0.6 % is within the tolerance of L3
    assert await parity_events(app_context) == [(RiskStatus.OPEN, Severity.WARNING)]
    parity.publish(90_000_000)
    off = await observed(app_context, fund, prices)
    assert not off.is_trusted
    issuer = next(source.price for source in off.sources if source.name == "issuer")
    assert issuer is not None
    assert issuer / own_price(fund) == pytest.approx(1 / 0.9)
    assert await parity_events(app_context) == [(RiskStatus.OPEN, Severity.CRITICAL)]
    parity.publish(10**8)
    assert (await observed(app_context, fund, prices)).is_trusted
    assert await parity_events(app_context) == [(RiskStatus.RESOLVED, Severity.CRITICAL)]


async def parity_events(app_context: AppContext) -> list[tuple[RiskStatus, Severity]]:
    async with app_context.database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.USDT_OFF_PARITY)
        return [(row.status, row.severity) for row in await session.scalars(query)]


async def test_nothing_is_asked_without_a_file(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    await observe_prices(app_context.database, app_context.contracts, PricesSettings())
    async with app_context.database.read() as session:
        assert (await session.scalars(select(PriceObservationRow))).all() == []
