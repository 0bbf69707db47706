"""Each effect once and each nonce once, wherever a process dies and however many drive at the same time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.sending import SMALL, Office, assert_sent_once, stopped_mining
from tests.support.testfund import DAY

from paimon.application.transactions.broadcast import send_unacknowledged
from paimon.application.transactions.prepare import Step, prepare_next
from paimon.domain.approval import Verdict
from paimon.domain.chain import Address, hex0x
from paimon.domain.redemption import OnChainStatus
from paimon.domain.transaction import AttemptStatus, IntentStatus
from paimon.infrastructure.blockchain.rpc import Request, Rpc

pytestmark = pytest.mark.integration


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs, and nothing may catch it."""


class FatalRpc(Rpc):
    """An endpoint during whose n-th exchange the process dies: before the node hears of it, or after it has answered."""

    def __init__(self, url: str, *, dies_at: int, after_answer: bool) -> None:
        super().__init__(url, timeout_seconds=10, attempts_max=1)
        self.exchanges = 0
        self._dies_at = dies_at
        self._after_answer = after_answer

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        self.exchanges += 1
        if self.exchanges == self._dies_at and not self._after_answer:
            raise Killed
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        if self.exchanges == self._dies_at:
            raise Killed
        return answers


@pytest.mark.parametrize("after_answer", [False, True])
@pytest.mark.parametrize("verdict", [None, Verdict.APPROVE], ids=["settle", "approve"])
async def test_death_at_any_exchange_with_the_node_leaves_one_effect_and_one_nonce(
    office: Office, verdict: Verdict | None, after_answer: bool
) -> None:
    """Every exchange of a whole life is tried in turn, each on a chain of its own making, until a life outlasts them all."""
    wallet = office.keeper if verdict is None else office.approver
    people = ("ines", "ivan", "isla", "ilja", "inga")
    for dies_at in range(1, 40):
        snapshot = office.fund.node.rpc.call("evm_snapshot")
        request_id = office.due(people[dies_at % 5]) if verdict is None else office.awaiting(people[dies_at % 5])
        before = office.nonce_on_chain(wallet)
        if verdict is None:
            await office.queue_settlement(request_id)
        else:
            await office.queue_ruling(request_id, verdict)
        survived = await _live_until_killed(office, wallet, dies_at, after_answer)
        await office.finish(wallet)
        assert office.status(request_id) is (OnChainStatus.SETTLED if verdict is None else OnChainStatus.APPROVED)
        await assert_sent_once(office, wallet, request_id, before)
        await _forget(office)
        office.fund.node.rpc.call("evm_revert", snapshot)
        if survived:
            assert dies_at > 8, "a life has more exchanges than that"
            return
    raise AssertionError("a life of 40 exchanges")


async def _live_until_killed(office: Office, wallet: Address, dies_at: int, after_answer: bool) -> bool:
    async with FatalRpc(office.fund.rpc_url, dies_at=dies_at, after_answer=after_answer) as rpc:
        doomed = office.with_rpc(rpc)
        try:
            await doomed.finish(wallet)
        except Killed:
            return False
    return True


async def _forget(office: Office) -> None:
    async with office.database.write() as session:
        for table in ("transaction_attempts", "transaction_intents", "wallets", "approval_records", "approval_tickets"):
            await session.execute(text(f"DELETE FROM owned.{table}"))


async def test_death_between_commit_and_broadcast_sends_the_very_bytes_that_were_stored(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    assert await prepare_next(office.desk(), office.keeper) is Step.SIGNED
    (stored,) = (await office.intent(request_id)).attempts
    assert stored.status is AttemptStatus.SIGNED
    await office.finish(office.keeper)
    (sent,) = (await assert_sent_once(office, office.keeper, request_id, before)).attempts
    assert sent.hash == stored.hash


async def test_nothing_is_signed_while_an_attempt_is_unacknowledged(office: Office) -> None:
    first, second = office.due("ines"), office.due("ivan")
    await office.queue_settlement(first)
    await office.queue_settlement(second)
    assert await prepare_next(office.desk(), office.keeper) is Step.SIGNED
    assert await prepare_next(office.desk(), office.keeper) is Step.STOP
    await office.finish(office.keeper)


async def test_death_between_broadcast_and_its_record_even_when_it_was_mined_meanwhile(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    await prepare_next(office.desk(), office.keeper)
    (attempt,) = (await office.intent(request_id)).attempts
    office.fund.node.rpc.call("eth_sendRawTransaction", hex0x(attempt.raw))
    office.fund.mine(1)
    await send_unacknowledged(office.desk(), office.keeper)
    await office.finish(office.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)


async def test_many_drivers_at_once_send_once(office: Office) -> None:
    requests = [office.fund.request(name, SMALL) for name in ("ines", "ivan", "isla")]
    office.fund.warp(7 * DAY + 1)
    before = office.nonce_on_chain(office.keeper)
    for request_id in requests:
        await office.queue_settlement(request_id)
    for _ in range(6):
        await asyncio.gather(*(office.drive(office.keeper) for _ in range(4)))
        office.fund.mine(3)
    await office.finish(office.keeper)
    assert office.nonce_on_chain(office.keeper) == before + len(requests)
    for request_id in requests:
        intent = await office.intent(request_id)
        assert (intent.status, len(intent.attempts)) == (IntentStatus.FINAL, 1)


async def test_a_reorganised_transaction_is_broadcast_again_and_mined_once(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        snapshot = office.fund.node.rpc.call("evm_snapshot")
        await office.drive(office.keeper)
        office.fund.mine(1)
        await office.drive(office.keeper)
        (attempt,) = (await office.intent(request_id)).attempts
        assert attempt.status is AttemptStatus.MINED
        office.fund.node.rpc.call("evm_revert", snapshot)
        await office.drive(office.keeper)
        (attempt,) = (await office.intent(request_id)).attempts
        assert attempt.status is AttemptStatus.BROADCAST
        assert attempt.block_hash is None
    await office.finish(office.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)
