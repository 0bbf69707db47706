"""Speed up, cancel, try again, clear trouble: asked for with a signature, carried out once by the wallet's driver."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update
from tests.support.api_client import ApiClient, require_example, seconds_from_now, signed_body
from tests.support.scenarios.sending import SendingHarness, assert_sent_once, stopped_mining

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


async def document(api_client: ApiClient, path: str, deed: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api_client.get(path)).json()["data"]["signing"][deed]
    return found


async def ask(api_client: ApiClient, path: str, deed: str, *, by: str = "vera") -> httpx.Response:
    body = signed_body(await document(api_client, path, deed), api_client.accounts.account(by), reason="I know why")
    return await api_client.post(f"{path}/{deed.replace('_', '-')}", body, by=by)


async def deeds(harness: SendingHarness) -> list[OperatorActionRow]:
    async with harness.database.read() as session:
        return list(await session.scalars(select(OperatorActionRow).order_by(OperatorActionRow.requested_at)))


async def set_wallet_fault(harness: SendingHarness, words: str) -> None:
    async with harness.database.write() as session:
        await session.execute(update(WalletRow).values(fault=words))


async def test_cancelled_before_sending_it_ends_and_only_a_person_tries_again(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    answer = await ask(api_client, path, "cancel")
    assert answer.status_code == 202, answer.text
    require_example(answer, "operator_action")
    assert answer.json()["data"]["state"] == "asked"
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert (intent.status, intent.attempts) == (IntentStatus.CANCELLED, ())
    assert "I know why" in str(intent.reason)
    async with harness.database.write() as session:
        with pytest.raises(RetriesExhausted, match="only an operator retries it"):
            await next_retry_key(session, IntentKind.SETTLE_REDEMPTION, IntentSubject.redemption(request_id))
    assert (await ask(api_client, path, "retry")).status_code == 202
    await harness.drive_until_idle(harness.keeper)
    assert harness.status(request_id) is OnChainStatus.SETTLED
    assert harness.nonce_on_chain(harness.keeper) == before + 1
    shown = (await api_client.get(path)).json()["data"]
    assert [(each["kind"], each["state"]) for each in shown["deeds"]] == [("cancel", "done"), ("retry", "done")]
    assert shown["signing"] == {}, "the later try is the one to look at"


async def test_cancelled_in_flight_a_self_send_takes_its_nonce(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        assert (await ask(api_client, path, "cancel")).status_code == 202
        await harness.drive(harness.keeper)
        await harness.with_options(stuck_seconds=0).drive(harness.keeper)
        attempts = (await harness.intent(request_id)).attempts
        assert [each.is_cancellation for each in attempts] == [False, True, True], "what replaces a self-send is one"
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.CANCELLED
    assert harness.status(request_id) is OnChainStatus.PENDING
    assert harness.nonce_on_chain(harness.keeper) == before + 1


async def test_a_cancel_that_loses_the_race_leaves_what_was_mined(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        (call,) = (await harness.intent(request_id)).attempts
        assert (await ask(api_client, path, "cancel")).status_code == 202
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(call.raw))
        harness.fund.mine(1)
    await harness.drive_until_idle(harness.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert [each.status for each in intent.attempts] == [AttemptStatus.FINAL, AttemptStatus.REPLACED]


async def test_asked_to_cancel_what_is_mined_by_then_nothing_is_sent(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        assert (await ask(api_client, path, "cancel")).status_code == 202
        harness.fund.mine(1)
        await harness.drive(harness.keeper)
        late = await api_client.get(path)
        assert late.json()["data"]["signing"] == {}
    await harness.drive_until_idle(harness.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert len(intent.attempts) == 1


async def test_a_wish_outlives_whoever_should_have_done_it_and_is_done_once(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    """Nobody drives after the wish was written, as when every worker is down; then several do."""
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        assert (await ask(api_client, path, "speed_up")).status_code == 202
        await apply_actions(harness.context(), harness.keeper)
        (waiting,) = await deeds(harness)
        assert waiting.status is ActionStatus.REQUESTED, "it stays a wish until the replacement is stored"
        for _ in range(3):
            await harness.drive(harness.keeper)
        first, second = (await harness.intent(request_id)).attempts
        assert (first.nonce, first.is_cancellation) == (second.nonce, second.is_cancellation)
        assert second.max_fee_wei * 10 >= first.max_fee_wei * 11
        (done,) = await deeds(harness)
        assert done.status is ActionStatus.DONE
    await harness.drive_until_idle(harness.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_a_speed_up_that_the_cap_forbids_says_so(api_client: ApiClient, harness: SendingHarness) -> None:
    request_id = harness.due_request()
    path = f"/transactions/intents/{(await harness.queue_settlement(request_id)).id}"
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        (call,) = (await harness.intent(request_id)).attempts
        assert (await ask(api_client, path, "speed_up")).status_code == 202
        await harness.with_options(max_fee_wei=call.max_fee_wei).drive(harness.keeper)
        (moot,) = await deeds(harness)
        assert (moot.status, "leaves no room" in str(moot.outcome)) == (ActionStatus.OBSOLETE, True)
        assert len((await harness.intent(request_id)).attempts) == 1
    await harness.drive_until_idle(harness.keeper)


async def test_what_makes_no_sense_is_refused_with_the_reason(api_client: ApiClient, harness: SendingHarness) -> None:
    path = f"/transactions/intents/{(await harness.queue_settlement(harness.due_request())).id}"
    shown = await document(api_client, path, "cancel")
    for deed, reason in (("speed_up", "only what is in flight"), ("retry", "only one that ended")):
        message = shown["message"] | {"action": deed}
        body = signed_body(shown | {"message": message}, api_client.accounts.account("vera"), reason="I know why")
        answer = await api_client.post(f"{path}/{deed.replace('_', '-')}", body, by="vera")
        assert answer.status_code == 409
        assert reason in answer.json()["error"]["message"]
    assert (await ask(api_client, path, "cancel")).status_code == 202
    second = await ask(api_client, path, "cancel")
    assert (second.status_code, "waits to be carried out" in second.text) == (409, True)
    assert len(await deeds(harness)) == 1
    await harness.drive(harness.keeper)


async def test_who_may_not_and_what_was_not_signed(api_client: ApiClient, harness: SendingHarness) -> None:
    intent = await harness.queue_settlement(harness.due_request())
    path = f"/transactions/intents/{intent.id}"
    shown = await document(api_client, path, "cancel")

    def by(name: str, **changes: Any) -> dict[str, Any]:
        return signed_body(shown, api_client.accounts.account(name), reason="I know why", **changes)

    refused = [
        (by("vera"), None, 401),
        (by("otto"), "otto", 403),  # an operator's own signature, and not an operator's to do
        (by("otto"), "vera", 403),  # somebody else's signature
        (by("vera") | {"reason": "another"}, "vera", 403),
        (by("vera", intentId="00000000-0000-0000-0000-000000000000"), "vera", 403),
        (by("vera", expiresAt=seconds_from_now(-1)), "vera", 400),
        (by("vera", expiresAt=seconds_from_now(3_600)), "vera", 400),
        (by("vera") | {"signature": "0x12"}, "vera", 400),
        (by("vera") | {"reason": ""}, "vera", 400),
    ]
    for body, name, status in refused:
        answer = await api_client.post(f"{path}/cancel", body, by=name)
        assert answer.status_code == status, answer.text
    assert await deeds(harness) == []
    assert (
        await api_client.post("/transactions/intents/00000000-0000-0000-0000-000000000000/cancel", by("vera"), by="vera")
    ).status_code == 404
    assert (await api_client.post(f"{path}/cancel", by("vera"), by="vera")).status_code == 202
    await harness.drive(harness.keeper)
    again = await api_client.post(f"{path}/cancel", by("vera"), by="vera")
    assert (again.status_code, again.json()["error"]["details"][0]["field"]) == (409, "nonce")


async def test_trouble_is_cleared_by_whoever_signs_its_words_and_no_other(
    api_client: ApiClient, harness: SendingHarness
) -> None:
    await harness.drive(harness.keeper)
    path = f"/wallets/{checksum(harness.keeper)}"
    assert (await api_client.get(path)).json()["data"]["signing"] == {}
    await set_wallet_fault(harness, FAULT)
    old = signed_body(await document(api_client, path, "clear_fault"), api_client.accounts.account("vera"), reason="it was me")
    await set_wallet_fault(harness, f"{FAULT} either")
    assert (await api_client.post(f"{path}/clear-fault", old, by="vera")).status_code == 403
    for expected in (202, 409):
        assert (await ask(api_client, path, "clear_fault")).status_code == expected
    await set_wallet_fault(harness, FAULT)
    await harness.drive(harness.keeper)
    assert (await harness.wallet(harness.keeper)).fault == FAULT, "not what was signed"
    assert (await ask(api_client, path, "clear_fault")).status_code == 202
    await harness.drive(harness.keeper)
    assert (await harness.wallet(harness.keeper)).fault is None
    assert [each.status for each in await deeds(harness)] == [ActionStatus.OBSOLETE, ActionStatus.DONE]


async def expire(harness: SendingHarness) -> None:
    async with harness.database.write() as session:
        await session.execute(update(IntentRow).values(expires_at=text("now() - interval '1 second'")))


async def test_past_its_deadline_nothing_is_sent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    await expire(harness)
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert (intent.status, intent.attempts) == (IntentStatus.EXPIRED, ())
    assert harness.nonce_on_chain(harness.keeper) == before


async def test_expired_in_flight_it_is_replaced_by_a_self_send(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        await expire(harness)
        await harness.drive(harness.keeper)
        intent = await harness.intent(request_id)
        assert (intent.status, [each.is_cancellation for each in intent.attempts]) == (IntentStatus.SENDING, [False, True])
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.EXPIRED
    assert harness.status(request_id) is OnChainStatus.PENDING
    assert harness.nonce_on_chain(harness.keeper) == before + 1
