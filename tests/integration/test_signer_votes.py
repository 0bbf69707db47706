"""What a vote must be for the signer to approve or reject: each rule has a test that fails without it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.signing import (
    LARGE,
    approve,
    ask,
    client_of,
    decision_about,
    make_policy,
    refusal,
    sign_vote,
    transaction,
    vote,
)
from tests.support.testfund import TestFund

from paimon.domain.approval import Verdict
from paimon.domain.chain import parse_address
from paimon.domain.signing import SignedVote
from paimon.domain.vote import VoteScope, typed_data
from paimon.gateway.signer.policy import ApprovalsTable
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable

pytestmark = pytest.mark.integration


async def test_no_vote(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    assert await refusal(signer, approve(fund, awaiting)) == "TOO_FEW_VOTES"


async def test_fewer_votes_than_its_own_policy_asks(fund: TestFund, tmp_path: Path, awaiting: int) -> None:
    policy = make_policy(fund, tmp_path, approvals=ApprovalsTable(STANDARD=2))
    vera, viktor = vote(fund, "vera", awaiting), vote(fund, "viktor", awaiting)
    async with running_signer(policy):
        signer = client_of(policy)
        assert await refusal(signer, approve(fund, awaiting, vera)) == "TOO_FEW_VOTES"
        await signer.sign(approve(fund, awaiting, vera, viktor))


async def test_one_persons_vote_twice(fund: TestFund, tmp_path: Path, awaiting: int) -> None:
    policy = make_policy(fund, tmp_path, approvals=ApprovalsTable(STANDARD=2))
    once, again = vote(fund, "vera", awaiting), vote(fund, "vera", awaiting, policy_version=2)
    async with running_signer(policy):
        assert await refusal(client_of(policy), approve(fund, awaiting, once, again)) == "REPEATED_VOTER"


async def test_a_vote_on_another_request(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    other = fund.request("ivan", LARGE)
    fund.wait_final()
    assert await refusal(signer, approve(fund, awaiting, vote(fund, "vera", other))) == "OTHER_REQUEST"


async def test_a_vote_with_the_other_verdict(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    reject = vote(fund, "vera", awaiting, Verdict.REJECT)
    assert await refusal(signer, approve(fund, awaiting, reject)) == "OTHER_VERDICT"
    request = ask(fund, "approver", transaction(fund, "rejectRedemption", awaiting, ""), vote(fund, "vera", awaiting))
    assert await refusal(signer, request) == "OTHER_VERDICT"


async def test_a_reason_nobody_signed(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    unsigned = transaction(fund, "rejectRedemption", awaiting, "the tampered reason")
    signed_vote = vote(fund, "vera", awaiting, Verdict.REJECT, reason="the signed reason")
    assert await refusal(signer, ask(fund, "approver", unsigned, signed_vote)) == "OTHER_REASON"


@pytest.mark.parametrize("field", ["owner", "receiver"])
async def test_other_parties_than_the_chain_shows(signer: SignerClient, fund: TestFund, awaiting: int, field: str) -> None:
    changes: dict[str, Any] = {field: parse_address(fund.people.address("inga"))}
    changed = vote(fund, "vera", awaiting, **changes)
    assert await refusal(signer, approve(fund, awaiting, changed)) == "OTHER_PARTIES"


async def test_another_amount_than_the_chain_shows(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    assert await refusal(signer, approve(fund, awaiting, vote(fund, "vera", awaiting, gross_amount=1))) == "OTHER_AMOUNT"


@pytest.mark.parametrize("scope", ["chain", "contract"])
async def test_a_vote_for_another_chain_or_contract(signer: SignerClient, fund: TestFund, awaiting: int, scope: str) -> None:
    manager = fund.addresses.redemption_manager
    foreign = VoteScope(56, manager) if scope == "chain" else VoteScope(31337, fund.addresses.vault)
    signed_vote = sign_vote(fund, "vera", decision_about(fund, awaiting, Verdict.APPROVE), foreign)
    assert await refusal(signer, approve(fund, awaiting, signed_vote)) == "FOREIGN_DOMAIN"


async def test_a_vote_whose_document_was_relabelled_recovers_a_stranger(
    signer: SignerClient, fund: TestFund, awaiting: int
) -> None:
    """Signed for another chain, sent as if for this one: the domain fits, the signature does not."""
    decision = decision_about(fund, awaiting, Verdict.APPROVE)
    foreign = sign_vote(fund, "vera", decision, VoteScope(56, fund.addresses.redemption_manager))
    relabelled = SignedVote(typed_data(decision, VoteScope(31337, fund.addresses.redemption_manager)), foreign.signature)
    assert await refusal(signer, approve(fund, awaiting, relabelled)) == "VOTER_LACKS_ROLE"


async def test_a_voter_without_the_role(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    assert await refusal(signer, approve(fund, awaiting, vote(fund, "otto", awaiting))) == "VOTER_LACKS_ROLE"


async def test_a_role_taken_away_before_the_final_block(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    signed_vote = vote(fund, "vera", awaiting)
    role = fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    fund.send("ada", "RedemptionManager", "revokeRole", role, fund.people.address("vera"))
    fund.wait_final()
    assert await refusal(signer, approve(fund, awaiting, signed_vote)) == "VOTER_LACKS_ROLE"


async def test_the_owner_never_votes_even_with_the_role(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    role = fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    fund.send("ada", "RedemptionManager", "grantRole", role, fund.people.address("ines"))
    fund.wait_final()
    assert await refusal(signer, approve(fund, awaiting, vote(fund, "ines", awaiting))) == "VOTER_IS_PARTY"


async def test_a_request_that_no_longer_awaits_approval(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    signed_vote = vote(fund, "vera", awaiting)
    fund.approve_on_chain(awaiting)
    fund.wait_final()
    assert await refusal(signer, approve(fund, awaiting, signed_vote)) == "NOT_AWAITING_APPROVAL"


async def test_a_request_the_chain_does_not_know(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    assert await refusal(signer, approve(fund, awaiting + 1, vote(fund, "vera", awaiting))) == "UNKNOWN_REQUEST"


@pytest.mark.parametrize("spoil", ["types", "message", "signature", "short"])
async def test_a_vote_that_is_not_what_it_says(signer: SignerClient, fund: TestFund, awaiting: int, spoil: str) -> None:
    good = vote(fund, "vera", awaiting)
    document = dict(good.document)
    spoiled = {
        "types": SignedVote(document | {"types": {}}, good.signature),
        "message": SignedVote(document | {"message": {"requestId": "1"}}, good.signature),
        "signature": SignedVote(document, good.signature[:64] + b"\x63"),
        "short": SignedVote(document, good.signature[:64]),
    }[spoil]
    assert await refusal(signer, approve(fund, awaiting, spoiled)) == "MALFORMED_VOTE"


async def test_one_bad_vote_spoils_good_ones(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    good, bad = vote(fund, "vera", awaiting), vote(fund, "otto", awaiting)
    assert await refusal(signer, approve(fund, awaiting, good, bad)) == "VOTER_LACKS_ROLE"


async def test_more_votes_than_it_looks_at(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    many = [vote(fund, "vera", awaiting)] * 17
    assert await refusal(signer, approve(fund, awaiting, *many)) == "TOO_MANY_VOTES"


async def test_it_fails_closed_when_it_cannot_read_the_chain(
    signer: SignerClient, fund: TestFund, awaiting: int, tmp_path: Path
) -> None:
    """Its node goes away after the start: rulings wait, settlements, which need no reading, do not."""
    policy = make_policy(fund, tmp_path)
    document = policy.read_text()
    (tmp_path / "other").mkdir()
    forward = await asyncio.start_server(_forward_to(fund), "127.0.0.1", 0)
    port = forward.sockets[0].getsockname()[1]
    policy.write_text(document.replace(fund.rpc_url, f"http://127.0.0.1:{port}").replace("signer.sock", "other/signer.sock"))
    async with running_signer(policy):
        other = client_of(policy)
        request = approve(fund, awaiting, vote(fund, "vera", awaiting))
        await other.sign(request)
        forward.close()
        _CONNECTIONS.close()
        with pytest.raises(SignerUnavailable, match="cannot check"):
            await other.sign(request)
        await other.sign(ask(fund, "keeper", transaction(fund, "settleRedemption", 1)))


class _Connections:
    """Open connections of the forwarder, so that they can be cut."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []

    def close(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers.clear()


_CONNECTIONS = _Connections()


def _forward_to(fund: TestFund) -> Any:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", fund.node.port)
        _CONNECTIONS.writers += [writer, upstream_writer]
        await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))

    return serve
