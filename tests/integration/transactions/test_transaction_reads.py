"""What the transaction desk shows: every intent with its transactions, and each wallet as its driver last saw it."""

import pytest
from sqlalchemy import select
from tests.support.api_client import ApiClient, require_example
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.scenarios.sending import SendingHarness, stopped_mining

from paimon.application.monitoring.component_health import wallets_health
from paimon.application.transactions.queries import list_wallets
from paimon.domain.kernel.chain import checksum
from paimon.domain.operations.health import HealthStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.gateway.cli.tx import wallet_line
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration

LOW = {"keeper": 10**17, "approver": 10**17}


def with_gas(harness: SendingHarness, wei: int) -> None:
    harness.fund.node.rpc.call("anvil_setBalance", checksum(harness.keeper), hex(wei))


def always_looking(harness: SendingHarness) -> SendingHarness:
    low = harness.options.low_balance_wei.model_copy(update=LOW)
    return harness.with_options(wallet_refresh_seconds=0, low_balance_wei=low)


async def events(harness: SendingHarness) -> list[RiskEventRow]:
    async with harness.database.read() as session:
        return list(await session.scalars(select(RiskEventRow).order_by(RiskEventRow.id)))


async def test_an_intent_is_shown_with_every_transaction_and_what_the_node_said(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        await harness.with_options(stuck_seconds=0).drive(harness.keeper)
        listed = await api_client.get(
            "/transactions/intents", open="true", wallet=checksum(harness.keeper), kind="settle_redemption"
        )
        require_example(listed, "intents")
        (shown,) = listed.json()["data"]["items"]
        assert [each["status"] for each in shown["attempts"]] == ["replaced", "broadcast"]
        assert {each["answer"] for each in shown["attempts"]} == {"accepted"}
        assert shown["attempts"][0]["nonce"] == shown["attempts"][1]["nonce"]
    await harness.drive_until_idle(harness.keeper)
    one = await api_client.get(f"/transactions/intents/{shown['id']}")
    require_example(one, "intent")
    assert one.json()["data"]["status"] == "final"
    for nothing in (
        {"open": "true"},
        {"status": "failed"},
        {"kind": "approve_redemption"},
        {"wallet": checksum(harness.approver)},
    ):
        assert (await api_client.get("/transactions/intents", **nothing)).json()["data"]["items"] == []
    assert (await api_client.get("/transactions/intents", open="false")).json()["data"]["pagination"]["total"] == 1


async def test_a_wallet_is_shown_as_its_driver_saw_it_without_asking_the_node(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(harness.due_request())
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        harness.fund.mine(1)
        listed = await api_client.get("/wallets")
        require_example(listed, "wallets")
        (wallet,) = listed.json()["data"]["items"]
        assert (wallet["nextNonce"], wallet["inFlightNonces"], wallet["missing"]) == (before + 1, [before], [])
        assert wallet["seen"]["latestNonce"] == before, "the row's, though the chain has gone on"
        await harness.with_options(wallet_refresh_seconds=0).drive(harness.keeper)
        one = await api_client.get(f"/wallets/{checksum(harness.keeper)}")
        require_example(one, "wallet")
        assert one.json()["data"]["seen"]["latestNonce"] == before + 1
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
async def test_what_is_not_there_or_not_asked_rightly(api_client: ApiClient, path: str, by: str | None, status: int) -> None:
    assert (await api_client.get(path, by=by)).status_code == status


async def test_a_wallet_low_on_gas_is_an_event_until_it_is_topped_up(api_client: ApiClient, harness: SendingHarness) -> None:
    watcher = always_looking(harness)
    with_gas(harness, 9 * 10**16)
    for _ in range(2):
        await watcher.drive(harness.keeper)
    (low,) = await events(harness)
    assert (low.kind, low.severity, low.status) == (RiskKind.LOW_GAS, Severity.WARNING, RiskStatus.OPEN)
    assert low.observed == f"{9 * 10**16} wei"
    refused = await api_client.post(f"/risk/events/{low.id}/resolve", {"note": "never mind"}, by="otto")
    assert refused.status_code == 409
    assert "top it up" in refused.json()["error"]["message"]
    with_gas(harness, 10**16)
    await watcher.drive(harness.keeper)
    (dire,) = await events(harness)
    assert (dire.id, dire.severity) == (low.id, Severity.CRITICAL)
    with_gas(harness, 10**17)
    await watcher.drive(harness.keeper)
    (ended,) = await events(harness)
    assert (ended.status, ended.resolved_by) == (RiskStatus.RESOLVED, None)
    with_gas(harness, 10**16)
    await watcher.drive(harness.keeper)
    assert [each.status for each in await events(harness)] == [RiskStatus.RESOLVED, RiskStatus.OPEN]


async def test_health_and_the_desk_say_that_gas_is_low(api_client: ApiClient, harness: SendingHarness) -> None:
    least = api_client.settings.sending.low_balance_wei.keeper
    for wei, low in ((least - 1, True), (least, False)):
        with_gas(harness, wei)
        await harness.with_options(wallet_refresh_seconds=0).drive(harness.keeper)
        (shown,) = (await api_client.get("/wallets")).json()["data"]["items"]
        assert shown["lowGas"] is low
        async with harness.database.read() as session:
            wallets = await list_wallets(session)
            now = await database_now(session)
        part = wallets_health(wallets, api_client.settings.sending.low_balance_wei)
        assert part.status is (HealthStatus.DEGRADED if low else HealthStatus.OK)
        (wallet,) = wallets
        assert ("LOW GAS" in wallet_line(wallet, api_client.settings.sending.low_balance_wei, now)) is low


async def test_health_and_the_desk_say_that_drives_are_interrupted(api_client: ApiClient, harness: SendingHarness) -> None:
    await harness.queue_settlement(harness.due_request())
    async with Rpc("http://127.0.0.1:1/key", timeout_seconds=1, attempts_max=1) as away:
        await harness.with_rpc(away).drive(harness.keeper)
    (shown,) = (await api_client.get("/wallets")).json()["data"]["items"]
    assert "gave no usable answer" in shown["interrupted"]["by"]
    async with harness.database.read() as session:
        wallets = await list_wallets(session)
        now = await database_now(session)
    part = wallets_health(wallets, api_client.settings.sending.low_balance_wei)
    assert (part.status, part.summary) == (HealthStatus.DEGRADED, "1 interrupted")
    assert "FAILING for" in wallet_line(wallets[0], api_client.settings.sending.low_balance_wei, now)


async def test_at_three_in_the_morning(api_client: ApiClient, harness: SendingHarness) -> None:
    first = await harness.queue_settlement(harness.due_request())
    with_gas(harness, 10**9)
    await harness.with_options(wallet_refresh_seconds=0).drive(harness.keeper)
    environment = environment_of(api_client.settings)
    with CliRunner() as cli:
        overview = cli.start("tx", env=environment)
        assert overview.wait() == 0, overview.output_text
        assert "LOW GAS" in overview.output_text
        assert "1 open" in overview.output_text
        assert "top it up" in overview.output_text
        one = cli.start("tx", "show", str(first.id), env=environment)
        assert one.wait() == 0, one.output_text
        assert IntentStatus.QUEUED in one.output_text
        nobody = cli.start("tx", "show", "00000000-0000-0000-0000-000000000000", env=environment)
        assert nobody.wait() == 2
        assert "there is no intent" in nobody.output_text
