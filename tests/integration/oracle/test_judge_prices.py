"""Prices of a real fund: judged with each snapshot, shown with their trust, and NAV withheld while one is not trusted."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import select
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import WAD, TestFund
from tests.support.cli_processes import CliRunner, environment_at_a_terminal
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.fund_risk.assess import assess_risk
from paimon.application.nav.publication import publish_nav
from paimon.application.oracle.judge import judge_prices
from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import AppContext
from paimon.domain.kernel.chain import parse_address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.price.calendar import Heartbeat
from paimon.domain.price.policy import PricePolicy
from paimon.domain.price.trust import PriceTrust
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus
from paimon.domain.risk.risk_policy import IndicatorName, IndicatorStatus
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.infrastructure.database.models.ops.price import PriceJudgementRow, PriceObservationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

POLICY: Final = PricePolicy(default_calendar=Heartbeat(timedelta(hours=12)))
"""The default steps; the fund's prices are set once, at its start."""


@pytest.fixture
def activity(fund: TestFund) -> FundActivity:
    return FundActivity(fund)


async def snapshot_judged(app_context: AppContext, fund: TestFund) -> FundSnapshot:
    return await snapshot_now(app_context, fund, prices=POLICY)


async def published(app_context: AppContext) -> dict[int, NavStatus]:
    await reconcile(app_context.database, app_context.contracts)
    await publish_nav(app_context.database, FundDocuments(app_context.database, app_context.redis))
    async with app_context.database.read() as session:
        return {row.block_number: row.status for row in await session.scalars(select(NavPointRow))}


async def price_events(app_context: AppContext) -> Sequence[RiskEventRow]:
    async with app_context.database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.PRICE_UNTRUSTED).order_by(RiskEventRow.id)
        return (await session.scalars(query)).all()


async def rows(app_context: AppContext, table: Any) -> Sequence[Any]:
    async with app_context.database.read() as session:
        return (await session.scalars(select(table).order_by(table.id))).all()


async def test_jump_withholds_nav_until_the_price_is_trusted_again(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    first = await snapshot_judged(app_context, fund)
    asset = activity.asset("RWAC")
    activity.set_price("RWAC", asset_price(first, asset.address) * 3 // 2)
    jumped = await snapshot_judged(app_context, fund)
    assert await published(app_context) == {first.at.number: NavStatus.PUBLISHED, jumped.at.number: NavStatus.WITHHELD}
    (event,) = await price_events(app_context)
    assert (event.status, event.first_seen_block) == (RiskStatus.OPEN, jumped.at.number)
    overview = (await api_client.get("/fund/overview")).json()["data"]
    assert overview["official"]["withheldReason"].startswith(f"untrusted price of {asset.address}: a jump from ")
    untrusted = [held["token"] for held in overview["assets"] if held["priceUntrusted"] is not None]
    assert untrusted == [asset.address]
    listed = {item["token"]: item for item in (await api_client.get("/fund/assets")).json()["data"]["items"]}
    assert (listed[asset.address]["priceTrust"], listed[asset.address]["priceUntrusted"]) == ("UNTRUSTED", event.observed)

    activity.set_price("RWAC", asset_price(first, asset.address))
    calm = await snapshot_judged(app_context, fund)
    assert await published(app_context) == {
        first.at.number: NavStatus.PUBLISHED,
        jumped.at.number: NavStatus.WITHHELD,  # it was provisional, and stays so
        calm.at.number: NavStatus.PUBLISHED,
    }
    (event,) = await price_events(app_context)
    assert (event.status, event.resolved_block) == (RiskStatus.RESOLVED, calm.at.number)


def asset_price(snapshot: FundSnapshot, address: str) -> int:
    position = snapshot.position(parse_address(address))
    assert position is not None
    assert position.price is not None
    return position.price


async def test_old_price_is_untrusted_and_breaches_staleness(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    await snapshot_judged(app_context, fund)
    fund.warp(13 * 3_600)
    await snapshot_judged(app_context, fund)
    made = await assess_risk(app_context.database, app_context.settings.risk.policy(), app_context.signing_rules.scope)
    assert made is not None
    staleness = {one.name: one for one in made.measurements}[IndicatorName.ORACLE_STALENESS]
    assert (staleness.value, staleness.status) == (Decimal(1), IndicatorStatus.WARNING)
    assert await price_events(app_context) == []
    fund.warp(12 * 3_600)
    last = await snapshot_judged(app_context, fund)
    held = {position.token for position in last.assets if position.is_listed and position.balance}
    assert len(await price_events(app_context)) == len(held) > 1
    assert (await published(app_context))[last.at.number] is NavStatus.WITHHELD
    for asset in fund.deployment.assets:
        activity.set_price(asset.symbol, asset_price(last, asset.address))
    fresh = await snapshot_judged(app_context, fund)
    assert {event.status for event in await price_events(app_context)} == {RiskStatus.RESOLVED}
    assert (await published(app_context))[fresh.at.number] is NavStatus.PUBLISHED


async def test_valuation_from_the_future_is_not_trusted(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    first = await snapshot_judged(app_context, fund)
    asset = activity.asset("RWAC")
    ahead = int(first.at.timestamp.timestamp()) + 100_000
    adapter = fund.deployment.oracle_adapter
    price = asset_price(first, asset.address)
    activity.act(ADMIN, "OracleAdapter", adapter, "setPriceWithTimestamp", asset.address, price, ahead)
    await snapshot_judged(app_context, fund)
    (event,) = await price_events(app_context)
    assert "which is still to come" in event.observed


async def test_what_repeats_is_recorded_once(app_context: AppContext, fund: TestFund) -> None:
    first = await snapshot_judged(app_context, fund)
    counts = [len(await rows(app_context, table)) for table in (PriceObservationRow, PriceJudgementRow)]
    listed = sum(position.is_listed for position in first.assets)
    assert counts == [listed, listed]
    fund.send("ada", "Vault", "updateNav")
    await snapshot_judged(app_context, fund)
    assert [len(await rows(app_context, table)) for table in (PriceObservationRow, PriceJudgementRow)] == counts


async def test_snapshot_of_an_earlier_block_judges_nothing(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    first = await snapshot_judged(app_context, fund)
    activity.set_price("RWAC", asset_price(first, activity.asset("RWAC").address) * 2)
    await snapshot_judged(app_context, fund)
    async with app_context.database.write() as session:
        assert await judge_prices(session, first, POLICY) == []
    assert [event.status for event in await price_events(app_context)] == [RiskStatus.OPEN]


async def test_workers_at_the_same_time_judge_a_block_once(app_context: AppContext, fund: TestFund) -> None:
    taken = await snapshot_judged(app_context, fund)
    later = replace(taken, at=replace(taken.at, number=taken.at.number + 1))
    jumped = replace(later, assets=tuple(replace(asset, price=RawAmount((asset.price or WAD) * 2)) for asset in later.assets))

    async def judge() -> None:
        async with app_context.database.write() as session:
            await judge_prices(session, jumped, POLICY)

    await asyncio.gather(*(judge() for _ in range(4)))
    newest = [row for row in await rows(app_context, PriceJudgementRow) if row.block_number == later.at.number]
    assert len(newest) == len({row.token for row in newest})
    assert {row.trust for row in newest} == {PriceTrust.UNTRUSTED}


async def test_api_and_terminal_show_prices_and_their_history(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient, cli: CliRunner
) -> None:
    assert (await api_client.get("/prices")).status_code == 503
    first = await snapshot_judged(app_context, fund)
    asset = activity.asset("RWAC")
    activity.set_price("RWAC", asset_price(first, asset.address) * 2)
    await snapshot_judged(app_context, fund)
    answer = await api_client.get("/prices")
    require_example(answer, "prices")
    found = {item["token"]: item for item in answer.json()["data"]["prices"]}[asset.address]
    assert (found["trust"], found["sources"][0]["source"], found["valueApart"]) == ("UNTRUSTED", "adapter", "0")
    history = await api_client.get(f"/prices/{asset.address}/observations")
    require_example(history, "price_observations")
    items = history.json()["data"]["items"]
    assert [int(item["price"]) for item in items] == [int(found["price"]), int(found["price"]) // 2]
    unknown = await api_client.get(f"/prices/0x{1:040x}/observations")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")
    environment = environment_at_a_terminal(app_context.settings)
    commands = (["list", "--json"], ["history", asset.address])
    started = [cli.start("prices", *command, env=environment) for command in commands]
    codes = await asyncio.gather(*(asyncio.to_thread(process.wait) for process in started))
    document, table = (process.output_text for process in started)
    assert codes == [1, 0]  # 1: a price is not trusted
    assert json.loads(document)["prices"] == answer.json()["data"]["prices"]
    assert table.count("adapter") == 2
