"""Proposals on real Safes: nonces, owners of every kind, and what the chain makes of them."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from tests.support.chain.safes import SAFE_ABI, SENTINEL, by_key, by_safe, owner, wallet
from tests.support.scenarios.multisig import Multisig

from paimon.application.identity.users import NotPermitted
from paimon.application.transactions.multisig.context import NoSuchSafe
from paimon.application.transactions.multisig.propose import ProposalConflict, propose_rejection
from paimon.application.transactions.multisig.sign import SignatureRefused, SignProposal, sign_proposal
from paimon.application.transactions.multisig.store import ProposalNotFound, signatures_of, transaction_of
from paimon.application.transactions.multisig.sync import observe
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_proposal import (
    AlreadySigned,
    MissingExecutions,
    NotASafeOwner,
    ProposalClosed,
    ProposalStatus,
)
from paimon.domain.transaction.safe_transaction import OwnerSignature, SafeName, rejection_at
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.blockchain.safe import NotOurSafe
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow, SafeSignatureRow
from paimon.infrastructure.keys.signatures import MalformedSignature

pytestmark = pytest.mark.integration


async def status(office: Multisig, hash_: Hash32) -> ProposalStatus:
    return (await office.file(hash_)).state.status


async def count(office: Multisig, table: type[SafeProposalRow | SafeSignatureRow]) -> int:
    async with office.desk.database.read() as session:
        return int((await session.execute(select(func.count()).select_from(table))).scalar_one())


async def test_back_to_back_proposals_never_share_a_nonce(safe_office: Multisig) -> None:
    hashes = await asyncio.gather(*(safe_office.propose(f"plan:{number}") for number in range(5)))
    assert sorted([(await safe_office.row(each)).nonce for each in hashes]) == [0, 1, 2, 3, 4]


async def test_each_safe_counts_for_itself(safe_office: Multisig) -> None:
    warm, cold = await safe_office.propose("one"), await safe_office.propose("two", safe=SafeName.COLD)
    assert [(await safe_office.row(each)).nonce for each in (warm, cold)] == [0, 0]


async def test_one_key_stands_for_one_plan(safe_office: Multisig) -> None:
    first = await safe_office.propose("plan", safe_office.allocate(1))
    assert await safe_office.propose("plan", safe_office.allocate(1)) == first
    with pytest.raises(ProposalConflict, match="other calls"):
        await safe_office.propose("plan", safe_office.allocate(2))
    with pytest.raises(ProposalConflict, match="other calls"):
        await safe_office.propose("plan", safe_office.allocate(1), safe=SafeName.COLD)
    assert await count(safe_office, SafeProposalRow) == 1


async def test_competing_is_asked_for_by_nonce(safe_office: Multisig) -> None:
    one = await safe_office.propose("one", safe_office.allocate(1))
    other = await safe_office.propose("other", safe_office.allocate(2), at_nonce=0)
    assert (await safe_office.file(one)).state.competing == [other]
    with pytest.raises(ProposalConflict, match="are open"):
        await safe_office.propose("beyond", at_nonce=2)
    with pytest.raises(ProposalConflict, match="proposed at nonce 0 already"):
        await safe_office.propose("the same", safe_office.allocate(2), at_nonce=0)


async def test_a_safe_that_is_not_configured_or_none_is_refused(safe_office: Multisig) -> None:
    with pytest.raises(NoSuchSafe, match="PAIMON_SENDING__COLD"):
        await safe_office.with_safes(warm=safe_office.safes.warm).propose("plan", safe=SafeName.COLD)
    with pytest.raises(NotOurSafe):
        await safe_office.with_safes(warm=safe_office.fund.addresses.vault).propose("plan")


async def test_two_of_three_keys(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan", safe_office.allocate(5))
    await safe_office.sign(hash_, 2)
    state = (await safe_office.file(hash_)).state
    assert (state.status, state.tally.counting) == (ProposalStatus.COLLECTING, (wallet(owner(2)),))
    assert set(state.tally.missing) == {wallet(owner(1)), wallet(owner(3))}
    assert [each.words for each in state.calls] == ["AssetController.allocateToLayer(tier=1, amount=5)"]
    await safe_office.sign(hash_, 1)
    assert await status(safe_office, hash_) is ProposalStatus.READY


async def test_three_of_five_keys_and_safes(safe_office: Multisig) -> None:
    twice = [safe_office.harmless()] * 2
    hash_ = await safe_office.propose("plan", *twice, safe=SafeName.COLD)
    await safe_office.sign(hash_, "pair", 5)
    assert await status(safe_office, hash_) is ProposalStatus.COLLECTING
    await safe_office.sign(hash_, "single")
    assert await status(safe_office, hash_) is ProposalStatus.READY
    assert await safe_office.execute_outside(hash_)
    assert await status(safe_office, hash_) is ProposalStatus.EXECUTED


async def test_what_the_safe_would_not_count_is_refused(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan")
    other = await safe_office.propose("other")
    over_another = await safe_office.consent(other, 1)
    with pytest.raises(SignatureRefused, match="hash"):
        await safe_office.hand_in(hash_, over_another)
    of_another = replace(await safe_office.consent(hash_, 2), owner=wallet(owner(1)))
    with pytest.raises(SignatureRefused):
        await safe_office.hand_in(hash_, of_another)
    with pytest.raises(NotASafeOwner):
        await safe_office.hand_in(hash_, await safe_office.consent(hash_, 9))
    with pytest.raises(SignatureRefused):
        await safe_office.hand_in(hash_, OwnerSignature(wallet(owner(1)), b"", False))
    assert await count(safe_office, SafeSignatureRow) == 0


async def test_a_contracts_consent_is_the_contracts_to_judge(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan", safe=SafeName.COLD)
    good = await safe_office.consent(hash_, "pair")
    of_one_only = replace(good, signature=good.signature[:65])
    with pytest.raises(SignatureRefused, match="GS"):
        await safe_office.hand_in(hash_, of_one_only)
    with pytest.raises(SignatureRefused):
        await safe_office.hand_in(hash_, replace(await safe_office.consent(hash_, "single"), owner=good.owner))
    await safe_office.hand_in(hash_, good)


async def test_who_may_hand_in(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan")
    operator = replace(safe_office.vera, role=UserRole.OPERATOR)
    with pytest.raises(NotPermitted):
        await safe_office.hand_in(hash_, await safe_office.consent(hash_, 1), user=operator)


@pytest.mark.parametrize("signature", ["0x1", "hello", "0x" + "00" * 4097])
async def test_what_is_no_signature_is_refused(safe_office: Multisig, signature: str) -> None:
    hash_ = await safe_office.propose("plan")
    with pytest.raises(MalformedSignature):
        await sign_proposal(SignProposal(hash_, safe_office.vera, wallet(owner(1)), signature), safe_office.desk)


async def test_an_owner_signs_once(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan")
    consent = await safe_office.consent(hash_, 1)
    outcomes = await asyncio.gather(*(safe_office.hand_in(hash_, consent) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["AlreadySigned", "AlreadySigned", "NoneType"]
    assert await count(safe_office, SafeSignatureRow) == 1


async def test_nothing_is_known_of_an_unknown_hash(safe_office: Multisig) -> None:
    with pytest.raises(ProposalNotFound):
        await safe_office.file(Hash32(bytes(32)))


async def test_an_expired_proposal_takes_no_signature_and_can_still_be_killed(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan")
    await safe_office.sign(hash_, 1, 2)
    late = await safe_office.consent(hash_, 3)
    await safe_office.expire(hash_)
    file = await safe_office.file(hash_)
    assert (file.state.status, file.document) == (ProposalStatus.EXPIRED, None)
    with pytest.raises(ProposalClosed, match="expired"):
        await safe_office.hand_in(hash_, late)
    rejection = await propose_rejection(hash_, safe_office.desk, proposed_by=safe_office.vera.address)
    await safe_office.sign(rejection, 1, 3)
    assert await safe_office.execute_outside(rejection)
    assert await status(safe_office, hash_) is ProposalStatus.REJECTED


async def test_a_rejection_uses_up_the_nonce(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan")
    await safe_office.sign(hash_, 1, 2)
    rejection = await propose_rejection(hash_, safe_office.desk, proposed_by=safe_office.vera.address)
    assert await propose_rejection(hash_, safe_office.desk, proposed_by=safe_office.vera.address) == rejection
    assert await safe_office.transaction(rejection) == rejection_at(0, safe_office.safes.warm)
    state = (await safe_office.file(rejection)).state
    assert state.competing == [hash_]
    assert "rejects whatever else" in state.calls[0].words
    await safe_office.sign(rejection, 1, 2)
    assert await safe_office.execute_outside(rejection)
    assert [await status(safe_office, each) for each in (hash_, rejection)] == [
        ProposalStatus.REJECTED,
        ProposalStatus.EXECUTED,
    ]
    with pytest.raises(ProposalClosed, match="is used"):
        await propose_rejection(hash_, safe_office.desk, proposed_by=safe_office.vera.address)
    with pytest.raises(ProposalClosed, match="is used"):
        await safe_office.sign(hash_, 3)


async def test_of_two_proposals_for_one_nonce_one_supersedes_the_other(safe_office: Multisig) -> None:
    refused_by_the_vault = Call(safe_office.fund.addresses.vault, SAFE_ABI.encode_call("nonce"))
    one = await safe_office.propose("one", refused_by_the_vault)
    other = await safe_office.propose("other", safe_office.harmless(), at_nonce=0)
    await safe_office.sign(one, 1, 2)
    await safe_office.sign(other, 2, 3)
    assert not await safe_office.execute_outside(one), "an inner revert reverts the whole"
    assert [await status(safe_office, each) for each in (one, other)] == [ProposalStatus.READY] * 2
    assert await safe_office.execute_outside(other)
    assert await status(safe_office, one) is ProposalStatus.SUPERSEDED
    assert await status(safe_office, other) is ProposalStatus.EXECUTED
    assert (await safe_office.row(await safe_office.propose("next"))).nonce == 1


async def test_an_owner_replaced_after_signing_counts_no_more(safe_office: Multisig) -> None:
    warm, leaving, coming = safe_office.safes.warm, wallet(owner(2)), wallet(owner(20))
    before = safe_office.safes.yard.read(warm, "getOwners")
    previous = checksum(before[before.index(leaving) - 1]) if before.index(leaving) else SENTINEL
    data = SAFE_ABI.encode_call("swapOwner", previous, checksum(leaving), checksum(coming))
    swap, plan = await safe_office.propose("swap", Call(warm, data)), await safe_office.propose("plan")
    await safe_office.sign(swap, 1, 3)
    await safe_office.sign(plan, 1, 2)
    assert await status(safe_office, plan) is ProposalStatus.READY
    assert await safe_office.execute_outside(swap)
    state = (await safe_office.file(plan)).state
    assert (state.status, state.tally.void) == (ProposalStatus.COLLECTING, (leaving,))
    newcomer = by_key(owner(20), await safe_office.transaction(plan), safe_office.desk.scope(warm))
    await safe_office.hand_in(plan, newcomer)
    assert await status(safe_office, plan) is ProposalStatus.READY


async def test_what_a_safe_did_without_us_is_adopted(safe_office: Multisig) -> None:
    """Two transactions this house never saw use the nonces of two of its proposals; the third is executed as proposed."""
    warm, scope = safe_office.safes.warm, safe_office.desk.scope(safe_office.safes.warm)
    hashes = [await safe_office.propose(f"plan:{number}", safe_office.harmless()) for number in range(3)]
    for hash_ in hashes:
        await safe_office.sign(hash_, 1, 3)
    for nonce in range(2):
        foreign = replace(rejection_at(nonce, warm), call=Call(warm, SAFE_ABI.encode_call("nonce")))
        receipt = safe_office.safes.yard.execute(scope, foreign, [by_key(owner(each), foreign, scope) for each in (1, 2)])
        assert int(receipt["status"], 16) == 1
    assert await safe_office.execute_outside(hashes[2])
    assert [await status(safe_office, each) for each in hashes] == [
        ProposalStatus.SUPERSEDED,
        ProposalStatus.SUPERSEDED,
        ProposalStatus.EXECUTED,
    ]


async def test_logs_that_are_not_complete_decide_nothing(safe_office: Multisig) -> None:
    """The house believes to have seen the Safe after the execution that moved its nonce: its logs then lack that one."""
    hash_ = await safe_office.propose("plan", safe_office.harmless())
    await safe_office.sign(hash_, 1, 2)
    row = await safe_office.row(hash_)
    scope, warm = safe_office.desk.scope(safe_office.safes.warm), safe_office.safes.warm
    safe_office.safes.yard.execute(scope, transaction_of(row), signatures_of(row))
    safe_office.fund.wait_final()
    async with safe_office.desk.database.write() as session:
        await session.execute(update(SafeRow).values(seen_block=safe_office.fund.node.rpc.head().number))
    with pytest.raises(MissingExecutions):
        await observe(safe_office.desk, warm)
    await safe_office.look()
    assert await status(safe_office, hash_) is ProposalStatus.READY
    interrupted = (await safe_office.file(hash_)).state.interrupted
    assert interrupted is not None
    assert interrupted.by.startswith("looking at it: ")
    await safe_office.look()
    again = (await safe_office.file(hash_)).state.interrupted
    assert again is not None
    assert again.since == interrupted.since
    async with safe_office.desk.database.write() as session:
        await session.execute(update(SafeRow).values(seen_block=1))
    await safe_office.look()
    assert await status(safe_office, hash_) is ProposalStatus.EXECUTED
    assert (await safe_office.file(hash_)).state.interrupted is None


async def test_looking_again_or_twice_at_once_changes_nothing(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan", safe_office.allocate(1))
    rejection = await propose_rejection(hash_, safe_office.desk, proposed_by=safe_office.vera.address)
    await safe_office.sign(rejection, 1, 2)
    await safe_office.execute_outside(rejection)
    closed_at = (await safe_office.row(hash_)).closed_at
    safe_office.fund.wait_final()
    await asyncio.gather(*(observe(safe_office.desk, safe_office.safes.warm) for _ in range(3)))
    assert (await safe_office.row(hash_)).closed_at == closed_at


async def test_a_contracts_consent_that_no_longer_counts_may_be_given_anew(safe_office: Multisig) -> None:
    hash_ = await safe_office.propose("plan", safe=SafeName.COLD)
    await safe_office.sign(hash_, "single", 4)
    with pytest.raises(AlreadySigned):
        await safe_office.sign(hash_, "single")
    single = safe_office.safes.inner["single"]
    scope = safe_office.desk.scope(single)
    data = SAFE_ABI.encode_call("swapOwner", SENTINEL, owner(9).address, owner(4).address)
    swap = replace(rejection_at(0, single), call=Call(single, data))
    assert int(safe_office.safes.yard.execute(scope, swap, [by_key(owner(9), swap, scope)])["status"], 16) == 1
    safe_office.fund.wait_final()
    with pytest.raises(SignatureRefused):
        await safe_office.sign(hash_, "single")
    anew = by_safe(single, [owner(4)], await safe_office.transaction(hash_), safe_office.desk.scope(safe_office.safes.cold))
    await safe_office.hand_in(hash_, anew)
    assert anew in signatures_of(await safe_office.row(hash_))
