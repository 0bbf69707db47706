"""What the transaction desk shows: every intent with its transactions, and each wallet as its driver last saw it."""

import pytest
from sqlalchemy import select
from tests.support.api_client import Desk, require_example
from tests.support.cli_processes import Programs, environment_of
from tests.support.scenarios.sending import Office, stopped_mining

from paimon.application.monitoring.health import wallets_part
from paimon.application.transactions.queries import list_wallets
from paimon.domain.kernel.chain import checksum
from paimon.domain.operations.health import Condition
from paimon.domain.risk.risk_event import RiskKind, RiskState, Severity
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.gateway.cli.tx import wallet_line
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration

LOW = {"keeper": 10**17, "approver": 10**17}


def with_gas(office: Office, wei: int) -> None:
    office.fund.node.rpc.call("anvil_setBalance", checksum(office.keeper), hex(wei))


def always_looking(office: Office) -> Office:
    low = office.options.low_balance_wei.model_copy(update=LOW)
    return office.with_options(look_seconds=0, low_balance_wei=low)


async def events(office: Office) -> list[RiskEventRow]:
    async with office.database.read() as session:
        return list(await session.scalars(select(RiskEventRow).order_by(RiskEventRow.id)))


async def test_an_intent_is_shown_with_every_transaction_and_what_the_node_said(desk: Desk, office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        await office.with_options(stuck_seconds=0).drive(office.keeper)
        listed = await desk.get("/desk/intents", open="true", wallet=checksum(office.keeper), kind="settle_redemption")
        require_example(listed, "desk_intents")
        (shown,) = listed.json()["data"]["items"]
        assert [each["status"] for each in shown["attempts"]] == ["replaced", "broadcast"]
        assert {each["answer"] for each in shown["attempts"]} == {"accepted"}
        assert shown["attempts"][0]["nonce"] == shown["attempts"][1]["nonce"]
    await office.finish(office.keeper)
    one = await desk.get(f"/desk/intents/{shown['id']}")
    require_example(one, "desk_intent")
    assert one.json()["data"]["status"] == "final"
    for nothing in (
        {"open": "true"},
        {"status": "failed"},
        {"kind": "approve_redemption"},
        {"wallet": checksum(office.approver)},
    ):
        assert (await desk.get("/desk/intents", **nothing)).json()["data"]["items"] == []
    assert (await desk.get("/desk/intents", open="false")).json()["data"]["pagination"]["total"] == 1


async def test_a_wallet_is_shown_as_its_driver_saw_it_without_asking_the_node(desk: Desk, office: Office) -> None:
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(office.due())
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        office.fund.mine(1)
        listed = await desk.get("/desk/wallets")
        require_example(listed, "desk_wallets")
        (wallet,) = listed.json()["data"]["items"]
        assert (wallet["nextNonce"], wallet["inFlight"], wallet["missing"]) == (before + 1, [before], [])
        assert wallet["seen"]["usedAtLatest"] == before, "the row's, though the chain has gone on"
        await office.with_options(look_seconds=0).drive(office.keeper)
        one = await desk.get(f"/desk/wallets/{checksum(office.keeper)}")
        require_example(one, "desk_wallet")
        assert one.json()["data"]["seen"]["usedAtLatest"] == before + 1
    assert (await desk.get("/desk/wallets/0x" + "77" * 20)).status_code == 404


@pytest.mark.parametrize(
    ("path", "by", "status"),
    [
        ("/desk/intents", None, 401),
        ("/desk/wallets", None, 401),
        ("/desk/intents/4711", "willa", 400),
        ("/desk/intents/00000000-0000-0000-0000-000000000000", "willa", 404),
        ("/desk/wallets/0x12", "willa", 400),
    ],
)
async def test_what_is_not_there_or_not_asked_rightly(desk: Desk, path: str, by: str | None, status: int) -> None:
    assert (await desk.get(path, by=by)).status_code == status


async def test_a_wallet_low_on_gas_is_an_event_until_it_is_topped_up(desk: Desk, office: Office) -> None:
    watcher = always_looking(office)
    with_gas(office, 9 * 10**16)
    for _ in range(2):
        await watcher.drive(office.keeper)
    (low,) = await events(office)
    assert (low.kind, low.severity, low.state) == (RiskKind.LOW_GAS, Severity.WARNING, RiskState.OPEN)
    assert low.observed == f"{9 * 10**16} wei"
    refused = await desk.post(f"/risk/events/{low.id}/resolve", {"note": "never mind"}, by="otto")
    assert refused.status_code == 409
    assert "top it up" in refused.json()["error"]["message"]
    with_gas(office, 10**16)
    await watcher.drive(office.keeper)
    (dire,) = await events(office)
    assert (dire.id, dire.severity) == (low.id, Severity.CRITICAL)
    with_gas(office, 10**17)
    await watcher.drive(office.keeper)
    (ended,) = await events(office)
    assert (ended.state, ended.resolved_by) == (RiskState.RESOLVED, None)
    with_gas(office, 10**16)
    await watcher.drive(office.keeper)
    assert [each.state for each in await events(office)] == [RiskState.RESOLVED, RiskState.OPEN]


async def test_health_and_the_desk_say_that_gas_is_low(desk: Desk, office: Office) -> None:
    least = desk.settings.sending.low_balance_wei.keeper
    for wei, low in ((least - 1, True), (least, False)):
        with_gas(office, wei)
        await office.with_options(look_seconds=0).drive(office.keeper)
        (shown,) = (await desk.get("/desk/wallets")).json()["data"]["items"]
        assert shown["lowGas"] is low
        async with office.database.read() as session:
            wallets = await list_wallets(session)
            now = await database_now(session)
        part = wallets_part(wallets, desk.settings.sending.low_balance_wei)
        assert part.condition is (Condition.DEGRADED if low else Condition.OK)
        (wallet,) = wallets
        assert ("LOW GAS" in wallet_line(wallet, desk.settings.sending.low_balance_wei, now)) is low


async def test_health_and_the_desk_say_that_drives_are_interrupted(desk: Desk, office: Office) -> None:
    await office.queue_settlement(office.due())
    async with Rpc("http://127.0.0.1:1/key", timeout_seconds=1, attempts_max=1) as away:
        await office.with_rpc(away).drive(office.keeper)
    (shown,) = (await desk.get("/desk/wallets")).json()["data"]["items"]
    assert "gave no usable answer" in shown["interrupted"]["by"]
    async with office.database.read() as session:
        wallets = await list_wallets(session)
        now = await database_now(session)
    part = wallets_part(wallets, desk.settings.sending.low_balance_wei)
    assert (part.condition, part.summary) == (Condition.DEGRADED, "1 interrupted")
    assert "INTERRUPTED for" in wallet_line(wallets[0], desk.settings.sending.low_balance_wei, now)


async def test_at_three_in_the_morning(desk: Desk, office: Office) -> None:
    first = await office.queue_settlement(office.due())
    with_gas(office, 10**9)
    await office.with_options(look_seconds=0).drive(office.keeper)
    environment = environment_of(desk.settings)
    with Programs() as programs:
        overview = programs.start("desk", env=environment)
        assert overview.wait() == 0, overview.said
        assert "LOW GAS" in overview.said
        assert "1 open" in overview.said
        assert "top it up" in overview.said
        one = programs.start("desk", "show", str(first.id), env=environment)
        assert one.wait() == 0, one.said
        assert IntentStatus.QUEUED in one.said
        nobody = programs.start("desk", "show", "00000000-0000-0000-0000-000000000000", env=environment)
        assert nobody.wait() == 2
        assert "there is no intent" in nobody.said
