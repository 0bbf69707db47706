"""Proposals on real Safes: nonces, owners of every kind, and outcomes on chain."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from tests.support.chain.safes import (
    SAFE_ABI,
    SENTINEL,
    address_of,
    owner_account,
    signature_by_eth_sign,
    signature_by_key,
    signature_by_safe,
)
from tests.support.scenarios.multisig import SafeHarness

from paimon.application.identity.permissions import NotPermitted
from paimon.application.transactions.multisig.context import SafeNotConfigured
from paimon.application.transactions.multisig.propose import ProposalConflict, propose_rejection
from paimon.application.transactions.multisig.sign import SignatureRejected, SignProposal, sign_proposal
from paimon.application.transactions.multisig.store import ProposalNotFound, signatures_of, transaction_of
from paimon.application.transactions.multisig.sync import sync_safe
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_proposal import (
    AlreadySigned,
    IncompleteExecutions,
    NotASafeOwner,
    ProposalClosed,
    ProposalStatus,
)
from paimon.domain.transaction.safe_transaction import OwnerSignature, SafeName, rejection_transaction
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.blockchain.contracts.safe import UnexpectedSafe
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow, SafeSignatureRow
from paimon.infrastructure.keys.signatures import MalformedSignature

pytestmark = pytest.mark.integration


async def status(safe_harness: SafeHarness, hash_: Hash32) -> ProposalStatus:
    return (await safe_harness.details(hash_)).summary.status


async def count(safe_harness: SafeHarness, table: type[SafeProposalRow | SafeSignatureRow]) -> int:
    async with safe_harness.context.database.read() as session:
        return int((await session.execute(select(func.count()).select_from(table))).scalar_one())


async def test_concurrent_proposals_never_share_a_nonce(safe_harness: SafeHarness) -> None:
    hashes = await asyncio.gather(*(safe_harness.propose(f"plan:{number}") for number in range(5)))
    assert sorted([(await safe_harness.row(hash_)).nonce for hash_ in hashes]) == [0, 1, 2, 3, 4]


async def test_each_safe_counts_its_own_nonces(safe_harness: SafeHarness) -> None:
    warm, cold = await safe_harness.propose("one"), await safe_harness.propose("two", safe=SafeName.COLD)
    assert [(await safe_harness.row(hash_)).nonce for hash_ in (warm, cold)] == [0, 0]


async def test_proposal_key_stands_for_one_proposal(safe_harness: SafeHarness) -> None:
    first = await safe_harness.propose("plan", safe_harness.allocate(1))
    assert await safe_harness.propose("plan", safe_harness.allocate(1)) == first
    with pytest.raises(ProposalConflict, match="other calls"):
        await safe_harness.propose("plan", safe_harness.allocate(2))
    with pytest.raises(ProposalConflict, match="other calls"):
        await safe_harness.propose("plan", safe_harness.allocate(1), safe=SafeName.COLD)
    assert await count(safe_harness, SafeProposalRow) == 1


async def test_proposal_competes_for_a_nonce_on_request_only(safe_harness: SafeHarness) -> None:
    one = await safe_harness.propose("one", safe_harness.allocate(1))
    other = await safe_harness.propose("other", safe_harness.allocate(2), at_nonce=0)
    assert (await safe_harness.details(one)).summary.competing == (other,)
    with pytest.raises(ProposalConflict, match="are open"):
        await safe_harness.propose("beyond", at_nonce=2)
    with pytest.raises(ProposalConflict, match="already proposed at nonce 0"):
        await safe_harness.propose("the same", safe_harness.allocate(2), at_nonce=0)


async def test_unconfigured_or_unsupported_safe_is_refused(safe_harness: SafeHarness) -> None:
    with pytest.raises(SafeNotConfigured, match="PAIMON_SENDING__COLD"):
        await safe_harness.with_safes(warm=safe_harness.safes.warm).propose("plan", safe=SafeName.COLD)
    with pytest.raises(UnexpectedSafe):
        await safe_harness.with_safes(warm=safe_harness.fund.addresses.vault).propose("plan")


async def test_two_of_three_keys_make_a_proposal_ready(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan", safe_harness.allocate(5))
    await safe_harness.sign(hash_, 2)
    state = (await safe_harness.details(hash_)).summary
    assert (state.status, state.tally.valid_signers) == (ProposalStatus.COLLECTING, (address_of(owner_account(2)),))
    assert set(state.tally.missing_signers) == {address_of(owner_account(1)), address_of(owner_account(3))}
    assert [call.description for call in state.calls] == ["AssetController.allocateToLayer(tier=1, amount=5)"]
    await safe_harness.sign(hash_, 1)
    assert await status(safe_harness, hash_) is ProposalStatus.READY


async def test_three_of_five_keys_and_safes_make_a_proposal_ready(safe_harness: SafeHarness) -> None:
    twice = [safe_harness.no_op_call()] * 2
    hash_ = await safe_harness.propose("plan", *twice, safe=SafeName.COLD)
    await safe_harness.sign(hash_, "pair", 5)
    assert await status(safe_harness, hash_) is ProposalStatus.COLLECTING
    await safe_harness.sign(hash_, "single")
    assert await status(safe_harness, hash_) is ProposalStatus.READY
    assert await safe_harness.execute_externally(hash_)
    assert await status(safe_harness, hash_) is ProposalStatus.EXECUTED


async def test_eth_sign_signatures_count_and_execute_beside_others(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan", safe_harness.no_op_call())
    transaction, scope = await safe_harness.signed_content(hash_)
    await safe_harness.submit(hash_, signature_by_eth_sign(owner_account(1), transaction, scope))
    with pytest.raises(AlreadySigned):
        await safe_harness.sign(hash_, 1)
    await safe_harness.sign(hash_, 2)
    assert await status(safe_harness, hash_) is ProposalStatus.READY
    assert await safe_harness.execute_externally(hash_)


async def test_eth_sign_signature_of_another_hash_or_owner_is_refused(safe_harness: SafeHarness) -> None:
    hash_, other = await safe_harness.propose("plan"), await safe_harness.propose("other")
    over_another = signature_by_eth_sign(owner_account(1), *await safe_harness.signed_content(other))
    of_another = signature_by_eth_sign(owner_account(2), *await safe_harness.signed_content(hash_))
    over_typed_data = await safe_harness.consent(hash_, 1)
    shifted = over_typed_data.signature[:-1] + bytes([over_typed_data.signature[-1] + 4])
    for refused in (
        over_another,
        replace(of_another, owner=address_of(owner_account(1))),
        replace(over_typed_data, signature=shifted),
    ):
        with pytest.raises(SignatureRejected):
            await safe_harness.submit(hash_, refused)
    assert await count(safe_harness, SafeSignatureRow) == 0


async def test_signature_that_the_safe_would_not_count_is_refused(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan")
    other = await safe_harness.propose("other")
    over_another = await safe_harness.consent(other, 1)
    with pytest.raises(SignatureRejected, match="hash"):
        await safe_harness.submit(hash_, over_another)
    of_another = replace(await safe_harness.consent(hash_, 2), owner=address_of(owner_account(1)))
    with pytest.raises(SignatureRejected):
        await safe_harness.submit(hash_, of_another)
    with pytest.raises(NotASafeOwner):
        await safe_harness.submit(hash_, await safe_harness.consent(hash_, 9))
    with pytest.raises(SignatureRejected):
        await safe_harness.submit(hash_, OwnerSignature(address_of(owner_account(1)), b"", False))
    assert await count(safe_harness, SafeSignatureRow) == 0


async def test_contract_signature_is_checked_by_its_contract(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan", safe=SafeName.COLD)
    good = await safe_harness.consent(hash_, "pair")
    of_one_only = replace(good, signature=good.signature[:65])
    with pytest.raises(SignatureRejected, match="GS"):
        await safe_harness.submit(hash_, of_one_only)
    with pytest.raises(SignatureRejected):
        await safe_harness.submit(hash_, replace(await safe_harness.consent(hash_, "single"), owner=good.owner))
    await safe_harness.submit(hash_, good)


async def test_signature_is_submitted_with_permission_only(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan")
    operator = replace(safe_harness.vera, role=UserRole.OPERATOR)
    with pytest.raises(NotPermitted):
        await safe_harness.submit(hash_, await safe_harness.consent(hash_, 1), user=operator)


@pytest.mark.parametrize("signature", ["0x1", "hello", "0x" + "00" * 4097])
async def test_malformed_signature_is_refused(safe_harness: SafeHarness, signature: str) -> None:
    hash_ = await safe_harness.propose("plan")
    with pytest.raises(MalformedSignature):
        await sign_proposal(
            SignProposal(hash_, safe_harness.vera, address_of(owner_account(1)), signature), safe_harness.context
        )


async def test_owner_signs_a_proposal_once(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan")
    consent = await safe_harness.consent(hash_, 1)
    outcomes = await asyncio.gather(*(safe_harness.submit(hash_, consent) for _ in range(3)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadySigned", "AlreadySigned", "NoneType"]
    assert await count(safe_harness, SafeSignatureRow) == 1


async def test_unknown_proposal_is_not_found(safe_harness: SafeHarness) -> None:
    with pytest.raises(ProposalNotFound):
        await safe_harness.details(Hash32(bytes(32)))


async def test_expired_proposal_takes_no_signature_and_can_be_rejected(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan")
    await safe_harness.sign(hash_, 1, 2)
    late = await safe_harness.consent(hash_, 3)
    await safe_harness.expire(hash_)
    details = await safe_harness.details(hash_)
    assert (details.summary.status, details.document) == (ProposalStatus.EXPIRED, None)
    with pytest.raises(ProposalClosed, match="expired"):
        await safe_harness.submit(hash_, late)
    rejection = await propose_rejection(hash_, safe_harness.context, proposed_by=safe_harness.vera.address)
    await safe_harness.sign(rejection, 1, 3)
    assert await safe_harness.execute_externally(rejection)
    assert await status(safe_harness, hash_) is ProposalStatus.REJECTED


async def test_rejection_uses_up_the_nonce(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan")
    await safe_harness.sign(hash_, 1, 2)
    rejection = await propose_rejection(hash_, safe_harness.context, proposed_by=safe_harness.vera.address)
    assert await propose_rejection(hash_, safe_harness.context, proposed_by=safe_harness.vera.address) == rejection
    assert await safe_harness.transaction(rejection) == rejection_transaction(0, safe_harness.safes.warm)
    state = (await safe_harness.details(rejection)).summary
    assert state.competing == (hash_,)
    assert "rejects every other proposal" in state.calls[0].description
    await safe_harness.sign(rejection, 1, 2)
    assert await safe_harness.execute_externally(rejection)
    assert [await status(safe_harness, proposal) for proposal in (hash_, rejection)] == [
        ProposalStatus.REJECTED,
        ProposalStatus.EXECUTED,
    ]
    with pytest.raises(ProposalClosed, match="is used"):
        await propose_rejection(hash_, safe_harness.context, proposed_by=safe_harness.vera.address)
    with pytest.raises(ProposalClosed, match="is used"):
        await safe_harness.sign(hash_, 3)


async def test_executed_proposal_supersedes_its_competitor(safe_harness: SafeHarness) -> None:
    refused_by_the_vault = Call(safe_harness.fund.addresses.vault, SAFE_ABI.encode_call("nonce"))
    one = await safe_harness.propose("one", refused_by_the_vault)
    other = await safe_harness.propose("other", safe_harness.no_op_call(), at_nonce=0)
    await safe_harness.sign(one, 1, 2)
    await safe_harness.sign(other, 2, 3)
    assert not await safe_harness.execute_externally(one), "an inner revert reverts the whole"
    assert [await status(safe_harness, proposal) for proposal in (one, other)] == [ProposalStatus.READY] * 2
    assert await safe_harness.execute_externally(other)
    assert await status(safe_harness, one) is ProposalStatus.SUPERSEDED
    assert await status(safe_harness, other) is ProposalStatus.EXECUTED
    assert (await safe_harness.row(await safe_harness.propose("next"))).nonce == 1


async def test_signature_of_a_replaced_owner_counts_no_longer(safe_harness: SafeHarness) -> None:
    warm, leaving, coming = safe_harness.safes.warm, address_of(owner_account(2)), address_of(owner_account(20))
    before = safe_harness.safes.safe_factory.read(warm, "getOwners")
    previous = checksum(before[before.index(leaving) - 1]) if before.index(leaving) else SENTINEL
    data = SAFE_ABI.encode_call("swapOwner", previous, checksum(leaving), checksum(coming))
    swap, plan = await safe_harness.propose("swap", Call(warm, data)), await safe_harness.propose("plan")
    await safe_harness.sign(swap, 1, 3)
    await safe_harness.sign(plan, 1, 2)
    assert await status(safe_harness, plan) is ProposalStatus.READY
    assert await safe_harness.execute_externally(swap)
    state = (await safe_harness.details(plan)).summary
    assert (state.status, state.tally.former_owners) == (ProposalStatus.COLLECTING, (leaving,))
    newcomer = signature_by_key(owner_account(20), await safe_harness.transaction(plan), safe_harness.context.scope(warm))
    await safe_harness.submit(plan, newcomer)
    assert await status(safe_harness, plan) is ProposalStatus.READY


async def test_execution_by_someone_else_is_adopted(safe_harness: SafeHarness) -> None:
    """Two transactions from elsewhere use the nonces of two proposals; the third proposal is executed as it is."""
    warm, scope = safe_harness.safes.warm, safe_harness.context.scope(safe_harness.safes.warm)
    hashes = [await safe_harness.propose(f"plan:{number}", safe_harness.no_op_call()) for number in range(3)]
    for hash_ in hashes:
        await safe_harness.sign(hash_, 1, 3)
    for nonce in range(2):
        foreign = replace(rejection_transaction(nonce, warm), call=Call(warm, SAFE_ABI.encode_call("nonce")))
        receipt = safe_harness.safes.safe_factory.execute(
            scope, foreign, [signature_by_key(owner_account(number), foreign, scope) for number in (1, 2)]
        )
        assert int(receipt["status"], 16) == 1
    assert await safe_harness.execute_externally(hashes[2])
    assert [await status(safe_harness, proposal) for proposal in hashes] == [
        ProposalStatus.SUPERSEDED,
        ProposalStatus.SUPERSEDED,
        ProposalStatus.EXECUTED,
    ]


async def test_incomplete_logs_decide_nothing(safe_harness: SafeHarness) -> None:
    """The recorded sync block is after the execution that moved the nonce, so that the logs lack that execution."""
    hash_ = await safe_harness.propose("plan", safe_harness.no_op_call())
    await safe_harness.sign(hash_, 1, 2)
    row = await safe_harness.row(hash_)
    scope, warm = safe_harness.context.scope(safe_harness.safes.warm), safe_harness.safes.warm
    safe_harness.safes.safe_factory.execute(scope, transaction_of(row), signatures_of(row))
    safe_harness.fund.wait_until_final()
    async with safe_harness.database.write() as session:
        await session.execute(update(SafeRow).values(seen_block=safe_harness.fund.node.rpc.head().number))
    with pytest.raises(IncompleteExecutions):
        await sync_safe(safe_harness.worker, warm)
    await safe_harness.sync()
    assert await status(safe_harness, hash_) is ProposalStatus.READY
    last_error = (await safe_harness.details(hash_)).summary.last_error
    assert last_error is not None
    assert last_error.message.startswith("sync: ")
    await safe_harness.sync()
    again = (await safe_harness.details(hash_)).summary.last_error
    assert again is not None
    assert again.at == last_error.at
    async with safe_harness.database.write() as session:
        await session.execute(update(SafeRow).values(seen_block=1))
    await safe_harness.sync()
    assert await status(safe_harness, hash_) is ProposalStatus.EXECUTED
    assert (await safe_harness.details(hash_)).summary.last_error is None


async def test_repeated_and_concurrent_syncs_change_nothing(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan", safe_harness.allocate(1))
    rejection = await propose_rejection(hash_, safe_harness.context, proposed_by=safe_harness.vera.address)
    await safe_harness.sign(rejection, 1, 2)
    await safe_harness.execute_externally(rejection)
    closed_at = (await safe_harness.row(hash_)).closed_at
    safe_harness.fund.wait_until_final()
    await asyncio.gather(*(sync_safe(safe_harness.worker, safe_harness.safes.warm) for _ in range(3)))
    assert (await safe_harness.row(hash_)).closed_at == closed_at


async def test_contract_may_sign_anew_after_it_withdrew_its_consent(safe_harness: SafeHarness) -> None:
    hash_ = await safe_harness.propose("plan", safe=SafeName.COLD)
    await safe_harness.sign(hash_, "single", 4)
    with pytest.raises(AlreadySigned):
        await safe_harness.sign(hash_, "single")
    single = safe_harness.safes.inner["single"]
    scope = safe_harness.context.scope(single)
    data = SAFE_ABI.encode_call("swapOwner", SENTINEL, owner_account(9).address, owner_account(4).address)
    swap = replace(rejection_transaction(0, single), call=Call(single, data))
    assert (
        int(
            safe_harness.safes.safe_factory.execute(scope, swap, [signature_by_key(owner_account(9), swap, scope)])["status"],
            16,
        )
        == 1
    )
    safe_harness.fund.wait_until_final()
    with pytest.raises(SignatureRejected):
        await safe_harness.sign(hash_, "single")
    anew = signature_by_safe(
        single, [owner_account(4)], await safe_harness.transaction(hash_), safe_harness.context.scope(safe_harness.safes.cold)
    )
    await safe_harness.submit(hash_, anew)
    assert anew in signatures_of(await safe_harness.row(hash_))
