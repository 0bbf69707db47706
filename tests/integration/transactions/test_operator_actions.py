"""Operator actions: speed up, cancel, retry and clear a fault, with a signature, carried out once by the wallet's driver."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update
from tests.support.api_client import ApiClient, require_example, seconds_from_now, signed_body
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.sending import SendingHarness, assert_sent_once

from paimon.application.transactions.driver.operator_actions import apply_actions
from paimon.application.transactions.retries import RetriesExhausted, next_retry_key
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import ActionStatus
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow

pytestmark = pytest.mark.integration

FAULT = "nonce 7 was used by a transaction that is not ours"


async def document(api_client: ApiClient, path: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api_client.get(path)).json()["data"]["signing"][kind]
    return found


async def request_action(api_client: ApiClient, path: str, kind: str, *, by: str = "vera") -> httpx.Response:
    body = signed_body(await document(api_client, path, kind), api_client.accounts.account(by), reason="I know why")
    return await api_client.post(f"{path}/{kind.replace('_', '-')}", body, by=by)


async def stored_actions(harness: SendingHarness) -> list[OperatorActionRow]:
    async with harness.database.read() as session:
        return list(await session.scalars(select(OperatorActionRow).order_by(OperatorActionRow.requested_at)))


async def set_wallet_fault(harness: SendingHarness, fault: str) -> None:
    async with harness.database.write() as session:
        await session.execute(update(WalletRow).values(fault=fault))


async def test_intent_cancelled_before_sending_is_retried_by_an_operator_only(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    answer = await request_action(api_client, path, "cancel")
    assert answer.status_code == 202, answer.text
    require_example(answer, "operator_action")
    assert answer.json()["data"]["status"] == "REQUESTED"
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert (intent.status, intent.attempts) == (IntentStatus.CANCELLED, ())
    assert "I know why" in str(intent.reason)
    async with harness.database.write() as session:
        with pytest.raises(RetriesExhausted, match="only an operator retries it"):
            await next_retry_key(session, IntentKind.SETTLE_REDEMPTION, IntentSubject.redemption(request_id))
    assert (await request_action(api_client, path, "retry")).status_code == 202
    await harness.drive_until_idle(harness.keeper)
    assert harness.status(request_id) is OnChainStatus.SETTLED
    assert harness.nonce_on_chain(harness.keeper) == before + 1
    shown = (await api_client.get(path)).json()["data"]
    assert [(action["kind"], action["status"]) for action in shown["actions"]] == [("cancel", "DONE"), ("retry", "DONE")]
    assert shown["signing"] == {}, "the later intent is the one to look at"


async def test_self_send_takes_the_nonce_of_an_intent_cancelled_in_flight(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        assert (await request_action(api_client, path, "cancel")).status_code == 202
        await harness.drive(harness.keeper)
        await harness.with_options(stuck_seconds=0).drive(harness.keeper)
        attempts = (await harness.intent(request_id)).attempts
        assert [attempt.is_cancellation for attempt in attempts] == [False, True, True], "what replaces a self-send is one"
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.CANCELLED
    assert harness.status(request_id) is OnChainStatus.PENDING
    assert harness.nonce_on_chain(harness.keeper) == before + 1


async def test_call_mined_before_its_self_send_is_final(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        (call,) = (await harness.intent(request_id)).attempts
        assert (await request_action(api_client, path, "cancel")).status_code == 202
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(call.raw))
        harness.fund.mine(1)
    await harness.drive_until_idle(harness.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert [attempt.status for attempt in intent.attempts] == [AttemptStatus.FINAL, AttemptStatus.REPLACED]


async def test_cancellation_sends_nothing_when_the_call_is_mined_already(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        assert (await request_action(api_client, path, "cancel")).status_code == 202
        harness.fund.mine(1)
        await harness.drive(harness.keeper)
        late = await api_client.get(path)
        assert late.json()["data"]["signing"] == {}
    await harness.drive_until_idle(harness.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert len(intent.attempts) == 1


async def test_operator_action_survives_a_stopped_driver_and_is_carried_out_once(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    """No driver runs after the action was stored, as when every worker is down; then several run."""
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        assert (await request_action(api_client, path, "speed_up")).status_code == 202
        await apply_actions(harness.context(), harness.keeper)
        (waiting,) = await stored_actions(harness)
        assert waiting.status is ActionStatus.REQUESTED, "it stays requested until the replacement is stored"
        for _ in range(3):
            await harness.drive(harness.keeper)
        first, second = (await harness.intent(request_id)).attempts
        assert (first.nonce, first.is_cancellation) == (second.nonce, second.is_cancellation)
        assert second.max_fee_wei * 10 >= first.max_fee_wei * 11
        (done,) = await stored_actions(harness)
        assert done.status is ActionStatus.DONE
    await harness.drive_until_idle(harness.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_speed_up_above_the_fee_cap_is_obsolete_with_the_reason(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        (call,) = (await harness.intent(request_id)).attempts
        assert (await request_action(api_client, path, "speed_up")).status_code == 202
        await harness.with_options(max_fee_wei=call.max_fee_wei).drive(harness.keeper)
        (obsolete,) = await stored_actions(harness)
        assert (obsolete.status, "leaves no room" in str(obsolete.outcome)) == (ActionStatus.OBSOLETE, True)
        assert len((await harness.intent(request_id)).attempts) == 1
    await harness.drive_until_idle(harness.keeper)


async def test_impossible_action_is_refused_with_the_reason(api_client: ApiClient, harness: SendingHarness) -> None:
    path = f"/transactions/intents/{(await harness.queue_settlement(harness.due_request())).id}"
    for kind, reason in (("speed_up", "only a transaction in flight"), ("retry", "only one that ended")):
        answer = await api_client.sign(kind, path, by="vera")
        assert (answer.status_code, reason in answer.json()["error"]["message"]) == (409, True)
    assert (await request_action(api_client, path, "cancel")).status_code == 202
    second = await request_action(api_client, path, "cancel")
    assert (second.status_code, "another action on the target is requested" in second.text) == (409, True)
    assert len(await stored_actions(harness)) == 1
    await harness.drive(harness.keeper)


async def test_action_is_refused_without_permission_or_a_matching_signature(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    intent = await harness.queue_settlement(harness.due_request())
    path = f"/transactions/intents/{intent.id}"
    shown = await document(api_client, path, "cancel")

    def by(name: str, **changes: Any) -> dict[str, Any]:
        return signed_body(shown, api_client.accounts.account(name), reason="I know why", **changes)

    refused = [
        (by("vera"), None, 401),
        (by("otto"), "otto", 403),  # an operator's own signature, without the permission
        (by("otto"), "vera", 403),  # another user's signature
        (by("vera") | {"reason": "another"}, "vera", 403),
        (by("vera", resource="/transactions/intents/00000000-0000-0000-0000-000000000000"), "vera", 403),
        (by("vera", expiresAt=seconds_from_now(-1)), "vera", 400),
        (by("vera", expiresAt=seconds_from_now(3_600)), "vera", 400),
        (by("vera") | {"signature": "0x12"}, "vera", 400),
        (by("vera") | {"reason": ""}, "vera", 400),
    ]
    for body, name, status in refused:
        answer = await api_client.post(f"{path}/cancel", body, by=name)
        assert answer.status_code == status, answer.text
    assert await stored_actions(harness) == []
    assert (
        await api_client.post("/transactions/intents/00000000-0000-0000-0000-000000000000/cancel", by("vera"), by="vera")
    ).status_code == 404
    assert (await api_client.post(f"{path}/cancel", by("vera"), by="vera")).status_code == 202
    await harness.drive(harness.keeper)
    again = await api_client.post(f"{path}/cancel", by("vera"), by="vera")
    assert (again.status_code, again.json()["error"]["details"][0]["field"]) == (409, "nonce")


async def test_fault_is_cleared_only_by_a_signature_over_its_text(api_client: ApiClient, harness: SendingHarness) -> None:
    await harness.drive(harness.keeper)
    path = f"/wallets/{checksum(harness.keeper)}"
    assert (await api_client.get(path)).json()["data"]["signing"] == {}
    await set_wallet_fault(harness, FAULT)
    old = signed_body(await document(api_client, path, "clear_fault"), api_client.accounts.account("vera"), reason="it was me")
    await set_wallet_fault(harness, f"{FAULT} either")
    assert (await api_client.post(f"{path}/clear-fault", old, by="vera")).status_code == 403
    for expected in (202, 409):
        assert (await request_action(api_client, path, "clear_fault")).status_code == expected
    await set_wallet_fault(harness, FAULT)
    await harness.drive(harness.keeper)
    assert (await harness.wallet(harness.keeper)).fault == FAULT, "not what was signed"
    assert (await request_action(api_client, path, "clear_fault")).status_code == 202
    await harness.drive(harness.keeper)
    assert (await harness.wallet(harness.keeper)).fault is None
    assert [action.status for action in await stored_actions(harness)] == [ActionStatus.OBSOLETE, ActionStatus.DONE]


async def expire(harness: SendingHarness) -> None:
    async with harness.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(update(IntentRow).values(expires_at=text("now() - interval '1 second'")))


async def test_intent_past_its_deadline_is_not_sent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    await expire(harness)
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert (intent.status, intent.attempts) == (IntentStatus.EXPIRED, ())
    assert harness.nonce_on_chain(harness.keeper) == before


async def test_intent_expired_in_flight_is_replaced_by_a_self_send(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        await expire(harness)
        await harness.drive(harness.keeper)
        intent = await harness.intent(request_id)
        assert (intent.status, [attempt.is_cancellation for attempt in intent.attempts]) == (
            IntentStatus.SENDING,
            [False, True],
        )
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.EXPIRED
    assert harness.status(request_id) is OnChainStatus.PENDING
    assert harness.nonce_on_chain(harness.keeper) == before + 1
