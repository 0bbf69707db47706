"""Speed up, cancel, try again, clear trouble: asked for with a signature, carried out once by the wallet's driver."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update
from tests.support.api_client import Desk, require_example, seconds_from_now, signed
from tests.support.scenarios.sending import Office, assert_sent_once, stopped_mining

from paimon.application.transactions.driver.operator_actions import carry_out_deeds
from paimon.application.transactions.retries import TriesExhausted, key_of_next_try
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import DeedState
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow

pytestmark = pytest.mark.integration

TROUBLE = "nonce 7 was used by a transaction that is not ours"


async def document(desk: Desk, path: str, deed: str) -> dict[str, Any]:
    found: dict[str, Any] = (await desk.get(path)).json()["data"]["signing"][deed]
    return found


async def ask(desk: Desk, path: str, deed: str, *, by: str = "vera") -> httpx.Response:
    body = signed(await document(desk, path, deed), desk.people.account(by), reason="I know why")
    return await desk.post(f"{path}/{deed.replace('_', '-')}", body, by=by)


async def deeds(office: Office) -> list[OperatorActionRow]:
    async with office.database.read() as session:
        return list(await session.scalars(select(OperatorActionRow).order_by(OperatorActionRow.asked_at)))


async def in_trouble(office: Office, words: str) -> None:
    async with office.database.write() as session:
        await session.execute(update(WalletRow).values(trouble=words))


async def test_cancelled_before_sending_it_ends_and_only_a_person_tries_again(desk: Desk, office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    path = f"/desk/intents/{(await office.queue_settlement(request_id)).id}"
    answer = await ask(desk, path, "cancel")
    assert answer.status_code == 202, answer.text
    require_example(answer, "desk_deed")
    assert answer.json()["data"]["state"] == "asked"
    await office.drive(office.keeper)
    intent = await office.intent(request_id)
    assert (intent.status, intent.attempts) == (IntentStatus.CANCELLED, [])
    assert "I know why" in str(intent.reason)
    async with office.database.write() as session:
        with pytest.raises(TriesExhausted, match="only a person tries again"):
            await key_of_next_try(session, IntentKind.SETTLE_REDEMPTION, request_id)
    assert (await ask(desk, path, "retry")).status_code == 202
    await office.finish(office.keeper)
    assert office.status(request_id) is OnChainStatus.SETTLED
    assert office.nonce_on_chain(office.keeper) == before + 1
    shown = (await desk.get(path)).json()["data"]
    assert [(each["kind"], each["state"]) for each in shown["deeds"]] == [("cancel", "done"), ("retry", "done")]
    assert shown["signing"] == {}, "the later try is the one to look at"


async def test_cancelled_in_flight_a_self_send_takes_its_nonce(desk: Desk, office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    path = f"/desk/intents/{(await office.queue_settlement(request_id)).id}"
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        assert (await ask(desk, path, "cancel")).status_code == 202
        await office.drive(office.keeper)
        await office.with_options(stuck_seconds=0).drive(office.keeper)
        attempts = (await office.intent(request_id)).attempts
        assert [each.cancels for each in attempts] == [False, True, True], "what replaces a self-send is one"
    await office.finish(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.CANCELLED
    assert office.status(request_id) is OnChainStatus.PENDING
    assert office.nonce_on_chain(office.keeper) == before + 1


async def test_a_cancel_that_loses_the_race_leaves_what_was_mined(desk: Desk, office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    path = f"/desk/intents/{(await office.queue_settlement(request_id)).id}"
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        (call,) = (await office.intent(request_id)).attempts
        assert (await ask(desk, path, "cancel")).status_code == 202
        await office.drive(office.keeper)
        office.fund.node.rpc.call("anvil_dropAllTransactions")
        office.fund.node.rpc.call("eth_sendRawTransaction", hex0x(call.raw))
        office.fund.mine(1)
    await office.finish(office.keeper)
    intent = await assert_sent_once(office, office.keeper, request_id, before)
    assert [each.status for each in intent.attempts] == [AttemptStatus.FINAL, AttemptStatus.REPLACED]


async def test_asked_to_cancel_what_is_mined_by_then_nothing_is_sent(desk: Desk, office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    path = f"/desk/intents/{(await office.queue_settlement(request_id)).id}"
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        assert (await ask(desk, path, "cancel")).status_code == 202
        office.fund.mine(1)
        await office.drive(office.keeper)
        late = await desk.get(path)
        assert late.json()["data"]["signing"] == {}
    await office.finish(office.keeper)
    intent = await assert_sent_once(office, office.keeper, request_id, before)
    assert len(intent.attempts) == 1


async def test_a_wish_outlives_whoever_should_have_done_it_and_is_done_once(desk: Desk, office: Office) -> None:
    """Nobody drives after the wish was written, as when every worker is down; then several do."""
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    path = f"/desk/intents/{(await office.queue_settlement(request_id)).id}"
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        assert (await ask(desk, path, "speed_up")).status_code == 202
        await carry_out_deeds(office.desk(), office.keeper)
        (waiting,) = await deeds(office)
        assert waiting.state is DeedState.ASKED, "it stays a wish until the replacement is stored"
        for _ in range(3):
            await office.drive(office.keeper)
        first, second = (await office.intent(request_id)).attempts
        assert (first.nonce, first.cancels) == (second.nonce, second.cancels)
        assert second.max_fee_wei * 10 >= first.max_fee_wei * 11
        (done,) = await deeds(office)
        assert done.state is DeedState.DONE
    await office.finish(office.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)


async def test_a_speed_up_that_the_cap_forbids_says_so(desk: Desk, office: Office) -> None:
    request_id = office.due()
    path = f"/desk/intents/{(await office.queue_settlement(request_id)).id}"
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        (call,) = (await office.intent(request_id)).attempts
        assert (await ask(desk, path, "speed_up")).status_code == 202
        await office.with_options(max_fee_wei=call.max_fee_wei).drive(office.keeper)
        (moot,) = await deeds(office)
        assert (moot.state, "leaves no room" in str(moot.outcome)) == (DeedState.MOOT, True)
        assert len((await office.intent(request_id)).attempts) == 1
    await office.finish(office.keeper)


async def test_what_makes_no_sense_is_refused_with_the_reason(desk: Desk, office: Office) -> None:
    path = f"/desk/intents/{(await office.queue_settlement(office.due())).id}"
    shown = await document(desk, path, "cancel")
    for deed, reason in (("speed_up", "only what is in flight"), ("retry", "only one that ended")):
        message = shown["message"] | {"action": deed}
        body = signed(shown | {"message": message}, desk.people.account("vera"), reason="I know why")
        answer = await desk.post(f"{path}/{deed.replace('_', '-')}", body, by="vera")
        assert answer.status_code == 409
        assert reason in answer.json()["error"]["message"]
    assert (await ask(desk, path, "cancel")).status_code == 202
    second = await ask(desk, path, "cancel")
    assert (second.status_code, "waits to be carried out" in second.text) == (409, True)
    assert len(await deeds(office)) == 1
    await office.drive(office.keeper)


async def test_who_may_not_and_what_was_not_signed(desk: Desk, office: Office) -> None:
    intent = await office.queue_settlement(office.due())
    path = f"/desk/intents/{intent.id}"
    shown = await document(desk, path, "cancel")

    def by(name: str, **changes: Any) -> dict[str, Any]:
        return signed(shown, desk.people.account(name), reason="I know why", **changes)

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
        answer = await desk.post(f"{path}/cancel", body, by=name)
        assert answer.status_code == status, answer.text
    assert await deeds(office) == []
    assert (
        await desk.post("/desk/intents/00000000-0000-0000-0000-000000000000/cancel", by("vera"), by="vera")
    ).status_code == 404
    assert (await desk.post(f"{path}/cancel", by("vera"), by="vera")).status_code == 202
    await office.drive(office.keeper)
    again = await desk.post(f"{path}/cancel", by("vera"), by="vera")
    assert (again.status_code, again.json()["error"]["details"][0]["field"]) == (409, "nonce")


async def test_trouble_is_cleared_by_whoever_signs_its_words_and_no_other(desk: Desk, office: Office) -> None:
    await office.drive(office.keeper)
    path = f"/desk/wallets/{checksum(office.keeper)}"
    assert (await desk.get(path)).json()["data"]["signing"] == {}
    await in_trouble(office, TROUBLE)
    old = signed(await document(desk, path, "clear_trouble"), desk.people.account("vera"), reason="it was me")
    await in_trouble(office, f"{TROUBLE} either")
    assert (await desk.post(f"{path}/clear-trouble", old, by="vera")).status_code == 403
    for expected in (202, 409):
        assert (await ask(desk, path, "clear_trouble")).status_code == expected
    await in_trouble(office, TROUBLE)
    await office.drive(office.keeper)
    assert (await office.wallet(office.keeper)).trouble == TROUBLE, "not what was signed"
    assert (await ask(desk, path, "clear_trouble")).status_code == 202
    await office.drive(office.keeper)
    assert (await office.wallet(office.keeper)).trouble is None
    assert [each.state for each in await deeds(office)] == [DeedState.MOOT, DeedState.DONE]


async def expire(office: Office) -> None:
    async with office.database.write() as session:
        await session.execute(update(IntentRow).values(expires_at=text("now() - interval '1 second'")))


async def test_past_its_deadline_nothing_is_sent(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    await expire(office)
    await office.drive(office.keeper)
    intent = await office.intent(request_id)
    assert (intent.status, intent.attempts) == (IntentStatus.EXPIRED, [])
    assert office.nonce_on_chain(office.keeper) == before


async def test_expired_in_flight_it_is_replaced_by_a_self_send(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        await expire(office)
        await office.drive(office.keeper)
        intent = await office.intent(request_id)
        assert (intent.status, [each.cancels for each in intent.attempts]) == (IntentStatus.SENDING, [False, True])
    await office.finish(office.keeper)
    assert (await office.intent(request_id)).status is IntentStatus.EXPIRED
    assert office.status(request_id) is OnChainStatus.PENDING
    assert office.nonce_on_chain(office.keeper) == before + 1
