"""Reads of intents and wallets: every intent with its attempts, each wallet as its driver last recorded it."""

import pytest
from sqlalchemy import select
from tests.support.api_client import ApiClient, require_example
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.scenarios.sending import SendingHarness

from paimon.application.monitoring.component_health import wallets_health
from paimon.application.transactions.queries import list_wallets
from paimon.domain.kernel.chain import checksum
from paimon.domain.operations.health import HealthStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.gateway.cli.wallet_line import wallet_line
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration

LOW = {"keeper": 10**17, "approver": 10**17}


def with_gas(harness: SendingHarness, wei: int) -> None:
    harness.fund.node.rpc.call("anvil_setBalance", checksum(harness.keeper), hex(wei))


def refreshing(harness: SendingHarness) -> SendingHarness:
    low = harness.options.low_balance_wei.model_copy(update=LOW)
    return harness.with_options(wallet_refresh_seconds=0, low_balance_wei=low)


async def events(harness: SendingHarness) -> list[RiskEventRow]:
    async with harness.database.read() as session:
        return list(await session.scalars(select(RiskEventRow).order_by(RiskEventRow.id)))


async def test_intent_is_shown_with_every_attempt_and_node_answer(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        await harness.with_options(stuck_seconds=0).drive(harness.keeper)
        listed = await api_client.get(
            "/transactions/intents", open="true", wallet=checksum(harness.keeper), kind="settle_redemption"
        )
        require_example(listed, "intents")
        (shown,) = listed.json()["data"]["items"]
        assert [attempt["status"] for attempt in shown["attempts"]] == ["REPLACED", "BROADCAST"]
        assert {attempt["nodeResponse"] for attempt in shown["attempts"]} == {"accepted"}
        assert shown["attempts"][0]["nonce"] == shown["attempts"][1]["nonce"]
    await harness.drive_until_idle(harness.keeper)
    one = await api_client.get(f"/transactions/intents/{shown['id']}")
    require_example(one, "intent")
    assert one.json()["data"]["status"] == "FINAL"
    for filters in (
        {"open": "true"},
        {"status": "FAILED"},
        {"kind": "approve_redemption"},
        {"wallet": checksum(harness.approver)},
    ):
        assert (await api_client.get("/transactions/intents", **filters)).json()["data"]["items"] == []
    assert (await api_client.get("/transactions/intents", open="false")).json()["data"]["pagination"]["total"] == 1


async def test_wallet_is_shown_as_its_driver_recorded_it(api_client: ApiClient, harness: SendingHarness) -> None:
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(harness.due_request())
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        harness.fund.mine(1)
        listed = await api_client.get("/wallets")
        require_example(listed, "wallets")
        (wallet,) = listed.json()["data"]["items"]
        assert (wallet["nextNonce"], wallet["inFlightNonces"], wallet["missingNonces"]) == (before + 1, [before], [])
        assert wallet["accountState"]["latestNonce"] == before, "of the row, though the chain has gone on"
        await harness.with_options(wallet_refresh_seconds=0).drive(harness.keeper)
        one = await api_client.get(f"/wallets/{checksum(harness.keeper)}")
        require_example(one, "wallet")
        assert one.json()["data"]["accountState"]["latestNonce"] == before + 1
    assert (await api_client.get("/wallets/0x" + "77" * 20)).status_code == 404


@pytest.mark.parametrize(
    ("path", "by", "status"),
    [
        ("/transactions/intents", None, 401),
        ("/wallets", None, 401),
        ("/transactions/intents/4711", "willa", 400),
        ("/transactions/intents/00000000-0000-0000-0000-000000000000", "willa", 404),
        ("/wallets/0x12", "willa", 400),
    ],
)
async def test_invalid_and_unknown_targets_are_refused(api_client: ApiClient, path: str, by: str | None, status: int) -> None:
    assert (await api_client.get(path, by=by)).status_code == status


async def test_low_gas_is_a_risk_event_until_the_wallet_is_topped_up(api_client: ApiClient, harness: SendingHarness) -> None:
    driver = refreshing(harness)
    with_gas(harness, 9 * 10**16)
    for _ in range(2):
        await driver.drive(harness.keeper)
    (low,) = await events(harness)
    assert (low.kind, low.severity, low.status) == (RiskKind.LOW_GAS, Severity.WARNING, RiskStatus.OPEN)
    assert low.observed == f"{9 * 10**16} wei"
    refused = await api_client.sign("resolve_risk_event", f"/risk/events/{low.id}", by="otto")
    assert refused.status_code == 409
    assert "top up the wallet" in refused.json()["error"]["message"]
    with_gas(harness, 10**16)
    await driver.drive(harness.keeper)
    (worse,) = await events(harness)
    assert (worse.id, worse.severity) == (low.id, Severity.CRITICAL)
    with_gas(harness, 10**17)
    await driver.drive(harness.keeper)
    (ended,) = await events(harness)
    assert (ended.status, ended.resolved_by) == (RiskStatus.RESOLVED, None)
    with_gas(harness, 10**16)
    await driver.drive(harness.keeper)
    assert [event.status for event in await events(harness)] == [RiskStatus.RESOLVED, RiskStatus.OPEN]


async def test_low_gas_shows_in_health_and_wallets(api_client: ApiClient, harness: SendingHarness) -> None:
    minimum_wei = api_client.settings.sending.low_balance_wei.keeper
    for wei, low in ((minimum_wei - 1, True), (minimum_wei, False)):
        with_gas(harness, wei)
        await harness.with_options(wallet_refresh_seconds=0).drive(harness.keeper)
        (shown,) = (await api_client.get("/wallets")).json()["data"]["items"]
        assert shown["lowGas"] is low
        async with harness.database.read() as session:
            wallets = await list_wallets(session)
            now = await database_now(session)
        health = wallets_health(wallets, api_client.settings.sending.low_balance_wei)
        assert health.status is (HealthStatus.DEGRADED if low else HealthStatus.OK)
        (wallet,) = wallets
        assert ("LOW GAS" in wallet_line(wallet, api_client.settings.sending.low_balance_wei, now)) is low


async def test_failing_drives_show_in_health_and_wallets(api_client: ApiClient, harness: SendingHarness) -> None:
    await harness.queue_settlement(harness.due_request())
    async with Rpc("http://127.0.0.1:1/key", timeout_seconds=1, attempts_max=1) as away:
        await harness.with_rpc(away).drive(harness.keeper)
    (shown,) = (await api_client.get("/wallets")).json()["data"]["items"]
    assert "gave no usable answer" in shown["lastError"]["message"]
    async with harness.database.read() as session:
        wallets = await list_wallets(session)
        now = await database_now(session)
    health = wallets_health(wallets, api_client.settings.sending.low_balance_wei)
    assert (health.status, health.summary) == (HealthStatus.DEGRADED, "1 failing")
    assert "FAILING for" in wallet_line(wallets[0], api_client.settings.sending.low_balance_wei, now)


async def test_tx_command_names_what_an_operator_must_do(
    api_client: ApiClient, harness: SendingHarness, cli: CliRunner
) -> None:
    first = await harness.queue_settlement(harness.due_request())
    with_gas(harness, 10**9)
    await harness.with_options(wallet_refresh_seconds=0).drive(harness.keeper)
    environment = environment_of(api_client.settings)
    overview = cli.start("tx", env=environment)
    assert overview.wait() == 0, overview.output_text
    assert "LOW GAS" in overview.output_text
    assert "1 open" in overview.output_text
    assert "top it up" in overview.output_text
    one = cli.start("tx", "show", str(first.id), env=environment)
    assert one.wait() == 0, one.output_text
    assert IntentStatus.QUEUED in one.output_text
    unknown = cli.start("tx", "show", "00000000-0000-0000-0000-000000000000", env=environment)
    assert unknown.wait() == 2
    assert "there is no intent" in unknown.output_text
