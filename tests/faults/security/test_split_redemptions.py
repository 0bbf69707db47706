"""A holder who splits a redemption to avoid an approval, or floods the keeper with dust, is a risk event with its evidence."""

import pytest
from eth_account import Account
from sqlalchemy import select
from tests.support.api_client import ApiClient
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.signed_requests import sign_proposed

from paimon.application.redemptions.check_splits import check_splits
from paimon.application.replay.replay import replay
from paimon.application.risk_control.triage import propose_resolution, resolve_event
from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskStatus, Severity
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings import RedemptionSettings

pytestmark = pytest.mark.fault

# The fund's management fee makes a share worth a hair less than 1 USDT: 60 000 shares are 59 999.99, cut after the cents.


def request_many(fund: TestFund, name: str, *shares: int, receiver: str | None = None) -> None:
    """Request a redemption of each of these numbers of whole shares, in one block."""
    account = fund.accounts.account(name)
    with fund.chain() as chain:
        for number in shares:
            manager = fund.deployment.redemption_manager
            chain.call(account, "RedemptionManager", manager, "requestRedemption", number * WAD, receiver or account.address)
        fund.mine(1)
        chain.confirm()


async def check(database: Database, options: RedemptionSettings | None = None) -> list[RiskEvent]:
    async with database.write() as session:
        return await check_splits(session, options or RedemptionSettings())


async def test_three_below_the_limit_and_dust_raise_one_alert_each(
    app_context: AppContext, api_client: ApiClient, fund: TestFund, worker_database: Database
) -> None:
    request_many(fund, "ines", 99_999, 99_999)
    await record_all(app_context, fund)
    request_many(fund, "ines", 99_999)
    request_many(fund, "ivan", *[1] * 25)
    await snapshot_now(app_context, fund)
    split, dust = await check(worker_database)
    assert split.finding.kind is RiskKind.SPLIT_REDEMPTIONS
    assert split.finding.subject == f"standard redemptions of {fund.accounts.address('ines')} without approval"
    assert split.finding.observed == "299 996.99 in 3 requests within 168 h: 1-3"
    assert split.finding.expected == "below 100 000 together: one request for it needs an approval"
    assert dust.finding.kind is RiskKind.DUST_REDEMPTIONS
    assert dust.finding.subject == f"redemptions of {fund.accounts.address('ivan')} below the dust amount"
    assert dust.finding.observed == "24.99 in 25 requests within 168 h: 4-28"
    assert {event.finding.severity for event in (split, dust)} == {Severity.WARNING}

    listed = (await api_client.get("/risk/events", kind="SPLIT_REDEMPTIONS")).json()["data"]["items"]
    assert [(item["id"], item["observed"], item["status"]) for item in listed] == [(split.id, split.finding.observed, "OPEN")]
    async with app_context.database.read() as session:
        alerts = await session.scalars(select(OutboxMessageRow.aggregate_id).where(OutboxMessageRow.kind == "risk_event"))
        assert sorted(alerts) == sorted(str(event.id) for event in (split, dust))


async def test_alert_is_one_until_it_is_resolved_and_newer_requests_open_another(
    app_context: AppContext, fund: TestFund, worker_database: Database, owner_url: str
) -> None:
    request_many(fund, "ines", 60_000, 60_000)
    await record_all(app_context, fund)
    (opened,) = await check(worker_database)
    assert await check(worker_database) == []
    owner = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    try:
        await replay(owner, app_context.contracts)
    finally:
        await owner.dispose()
    assert await check(worker_database) == []

    request_many(fund, "ines", 10_000)
    await record_all(app_context, fund)
    (updated,) = await check(worker_database)
    assert (updated.id, updated.first_seen) == (opened.id, opened.first_seen)
    assert updated.finding.observed == "129 999.99 in 3 requests within 168 h: 1-3"

    otto = User(parse_address(fund.accounts.address("otto")), UserRole.OPERATOR, "otto")
    account, rules, reason = fund.accounts.account("otto"), app_context.signing_rules, "a flat is being bought"
    request = sign_proposed(propose_resolution(updated), otto, account, rules, reason=reason)
    await resolve_event(opened.id, request, app_context.signing)
    assert await check(worker_database) == []
    request_many(fund, "ines", 1_000)
    await record_all(app_context, fund)
    (again,) = await check(worker_database)
    assert again.id != opened.id
    assert (again.status, again.finding.observed) == (RiskStatus.OPEN, "130 999.99 in 4 requests within 168 h: 1-4")


async def test_cancelled_requests_do_not_count(app_context: AppContext, fund: TestFund, worker_database: Database) -> None:
    request_many(fund, "ines", 60_000, 60_000)
    fund.send("ines", "RedemptionManager", "cancelRedemption", 1)
    await record_all(app_context, fund)
    assert await check(worker_database) == []


async def test_shares_sent_to_fresh_holders_are_traced_to_their_source(
    app_context: AppContext, fund: TestFund, worker_database: Database
) -> None:
    """The test's own fresh holders are two wallets without shares before; one of them gets its shares through the other."""
    fresh, fresher = (Account.create() for _ in range(2))
    with fund.chain() as chain:
        vault = fund.deployment.vault
        for wallet in (fresh, fresher):
            fund.node.rpc.call("anvil_setBalance", wallet.address, hex(WAD))
        chain.call(fund.accounts.account("ines"), "Vault", vault, "transfer", fresh.address, 90_000 * WAD)
        fund.mine(1)
        chain.call(fresh, "Vault", vault, "transfer", fresher.address, 45_000 * WAD)
        chain.call(fund.accounts.account("ivan"), "Vault", vault, "transfer", fresher.address, 10 * WAD)
        fund.mine(1)
        for wallet in (fresh, fresher):
            manager = fund.deployment.redemption_manager
            chain.call(wallet, "RedemptionManager", manager, "requestRedemption", 45_000 * WAD, wallet.address)
        fund.mine(1)
        chain.confirm()
    request_many(fund, "ines", 20_000)
    await record_all(app_context, fund)
    (event,) = await check(worker_database)
    assert checksum(parse_address(fund.accounts.address("ines"))) in event.finding.subject
    assert event.finding.observed == "109 999.99 in 3 requests within 168 h: 1-3"


async def test_limits_follow_the_size_of_the_fund(app_context: AppContext, fund: TestFund, worker_database: Database) -> None:
    """A part of L1 and L2, or of net assets, may be the stricter limit; the settings name the parts."""
    request_many(fund, "ines", 2_000, 2_000)
    options = RedemptionSettings(standard_approval_bps=1, scheduled_bps=1)
    await record_all(app_context, fund)
    assert await check(worker_database, options) == []
    await snapshot_now(app_context, fund)
    subjects = sorted(event.finding.subject.split()[-1] for event in await check(worker_database, options))
    assert subjects == ["approval", "windows"]
