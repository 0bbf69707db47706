"""A copy of a signature with the other s, which anyone can make of one they have seen, counts nowhere as a second one."""

import pytest
from eth_account.messages import encode_defunct
from tests.support.api_client import ApiClient
from tests.support.chain.fund import TestFund
from tests.support.malleability import upper_s
from tests.support.scenarios.multisig import SafeHarness
from tests.support.signing import approval_request, make_vote, refusal_code

from paimon.application.transactions.multisig.store import signatures_of
from paimon.domain.kernel.chain import checksum
from paimon.domain.transaction.safe_proposal import AlreadySigned, ProposalStatus
from paimon.domain.transaction.signing import SignedVote
from paimon.infrastructure.keys.client import SignerClient

pytestmark = pytest.mark.fault


async def test_signer_refuses_the_copy_of_a_vote(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    vote = make_vote(fund, "vera", pending_request_id)
    copy = SignedVote(vote.document, upper_s(vote.signature))
    for votes in ((copy,), (vote, copy), (copy, vote)):
        assert await refusal_code(signer, approval_request(fund, pending_request_id, *votes)) == "MALFORMED_VOTE"


async def test_safe_counts_an_owner_once_whichever_copy_comes_first(safe_harness: SafeHarness) -> None:
    proposal = await safe_harness.propose("a copy first", safe_harness.no_op_call())
    consent = await safe_harness.consent(proposal, 1)
    await safe_harness.submit(proposal, type(consent)(consent.owner, upper_s(consent.signature), is_contract_signature=False))
    with pytest.raises(AlreadySigned, match=checksum(consent.owner)):
        await safe_harness.submit(proposal, consent)
    assert [stored.signature for stored in signatures_of(await safe_harness.row(proposal))] == [consent.signature]
    assert (await safe_harness.details(proposal)).summary.status is ProposalStatus.COLLECTING
    await safe_harness.sign(proposal, 2)
    assert await safe_harness.execute_externally(proposal), "the Safe itself counts the stored form"


async def test_challenge_signs_in_once_with_either_copy(api_client: ApiClient) -> None:
    vera = api_client.accounts.account("vera")
    challenge = await api_client.post("/auth/challenge", {"address": vera.address})
    message = challenge.json()["data"]["message"]
    signature = bytes(vera.sign_message(encode_defunct(text=message)).signature)
    answers = [
        await api_client.post("/auth/verify", {"message": message, "signature": "0x" + form.hex()})
        for form in (upper_s(signature), signature)
    ]
    assert [answer.status_code for answer in answers] == [200, 401]
