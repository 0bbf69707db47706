"""The simulated market on a real chain performs every kind of action, the fund's sums hold, and the listener follows."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.conftest import make_settings
from tests.integration.event_listener.test_listener import caught_up, following
from tests.support.chain.fund import ARTIFACTS, TestFund, start_fund
from tests.support.paths import CONTRACTS

from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import AppContext, open_app_context
from paimon.domain.events.log_status import LogStatus
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon_devkit.market.config import INVESTORS, MarketConfig
from paimon_devkit.market.exchange import Exchange
from paimon_devkit.market.executor import ActionExecutor
from paimon_devkit.market.generator import ACTION_RULES
from paimon_devkit.market.history import generate_history
from paimon_devkit.market.live import LiveMarket
from paimon_devkit.market.market_state import MarketState
from paimon_devkit.market.node import ChainUnreachable, MarketError, Node
from paimon_devkit.market.observer import Observer
from paimon_devkit.market.summary import Outcome, Summary
from paimon_devkit.stack.embedded_chain import find_anvil

pytestmark = pytest.mark.integration

ACTIONS, DAYS = 600, 100


@pytest.fixture(scope="module", params=[1, 2])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def market_fund(data_folder: Path, seed: int) -> Iterator[TestFund]:
    """Start a chain of its own, since its time goes months ahead."""
    fund = start_fund(data_folder / f"market-{seed}", anvil=find_anvil(CONTRACTS))
    yield fund
    fund.node.stop()


@pytest.fixture(scope="module")
def history(market_fund: TestFund, seed: int) -> Summary:
    return generate(market_fund, seed=seed, actions=ACTIONS, days=DAYS)


@pytest.fixture
async def market_context(
    market_fund: TestFund, history: Summary, app_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[AppContext]:
    options = make_settings(market_fund, app_url=app_url, redis_url=redis_url, folder=tmp_path)
    async with open_app_context(options, process="test") as app_context:
        yield app_context


def generate(fund: TestFund, **length: Any) -> Summary:
    return generate_history(fund.rpc_url, fund.deployment, fund.accounts.fund_accounts(), artifacts=ARTIFACTS, **length)


def exchange_of(fund: TestFund) -> Exchange:
    return Exchange.of(fund.deployment, fund.accounts.fund_accounts(), ARTIFACTS)


def read_state(fund: TestFund) -> MarketState:
    with Node(fund.rpc_url) as node:
        return Observer(node, exchange_of(fund)).read_state()


def test_every_kind_of_action_is_performed_and_hardly_any_reverts(history: Summary) -> None:
    assert history.actions == ACTIONS
    assert {kind.__name__ for kind in ACTION_RULES} - set(history.done) == set()
    assert history.reverted.total() <= ACTIONS // 50, history.table()


def test_sums_of_the_fund_hold(market_fund: TestFund, history: Summary) -> None:
    state = read_state(market_fund)
    other_holders = [market_fund.accounts.address(name) for name in ("ines", "ivan", "isla", "ilja", "inga")]
    held = sum(investor.shares for investor in state.investors.values()) + sum(
        market_fund.read("Vault", "balanceOf", holder) for holder in other_holders
    )
    assert held + market_fund.read("Vault", "balanceOf", market_fund.deployment.vault) == state.supply
    assert market_fund.read("Vault", "balanceOf", market_fund.deployment.vault) == state.locked
    assert sum(investor.locked for investor in state.investors.values()) == state.locked
    assert sum(request.gross for request in state.requests.values()) == state.liability
    assert state.redemption_fees <= market_fund.read("Vault", "totalAccumulatedRedemptionFees")


def test_history_passes_time_and_the_chain_mines_by_itself_afterwards(market_fund: TestFund, history: Summary) -> None:
    assert DAYS * 0.7 < history.fund_seconds / 86_400 < DAYS * 1.3
    before = market_fund.node.rpc.head()
    after = market_fund.node.wait_until_final(before.number + 1)
    assert after.timestamp > before.timestamp


async def test_listener_follows_a_history_and_reconciles_without_differences(
    market_context: AppContext, market_fund: TestFund, eventually: Callable[..., Any]
) -> None:
    async with following(market_context):
        await caught_up(market_context, market_fund, lambda condition: eventually(condition, seconds_max=60))
    result = await reconcile(market_context.database, market_context.contracts)
    assert result.discrepancies == ()
    async with market_context.database.read() as session:
        quarantined = select(func.count()).select_from(RawLogRow).where(RawLogRow.status == LogStatus.QUARANTINED)
        assert await session.scalar(quarantined) == 0


def test_second_history_continues_the_first(market_fund: TestFund, history: Summary, seed: int) -> None:
    before = read_state(market_fund)
    further = generate(market_fund, seed=seed + 10, actions=60)
    after = read_state(market_fund)
    assert further.actions == 60
    assert after.now > before.now
    assert after.request_count >= before.request_count


def test_live_market_signs_and_leaves_settlements_to_the_application(market_fund: TestFund, history: Summary) -> None:
    outcomes: list[Outcome] = []
    with Node(market_fund.rpc_url) as node:
        market = LiveMarket(
            ActionExecutor(node, exchange_of(market_fund)), seed=5, config=MarketConfig(settlements_left_bps=10_000)
        )
        market.run(every_seconds=0.0, speed=1, on_outcome=outcomes.append, actions=5)
    assert len(outcomes) == market.summary.actions == 5
    assert not any(outcome.action.kind.startswith("Settle") for outcome in outcomes)


def test_market_values_the_fund_as_its_contracts_do(market_fund: TestFund, history: Summary) -> None:
    with Node(market_fund.rpc_url) as node:
        node.call("evm_increaseTime", 600)  # past the value cache
        node.call("evm_mine")
    state = read_state(market_fund)
    assert set(state.investors) == set(INVESTORS)
    assert state.share_price == pytest.approx(market_fund.read("Vault", "sharePrice"), rel=1e-12)


def test_unreachable_chain_and_missing_length_are_named(market_fund: TestFund) -> None:
    with pytest.raises(ChainUnreachable, match="make demo"), Node("http://127.0.0.1:1") as node:
        node.call("eth_chainId")
    with pytest.raises(MarketError, match="needs a length"):
        generate(market_fund, seed=1)
