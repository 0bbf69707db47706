"""The votes the signer needs to approve or reject. Each rule has a test that fails without the rule."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.chain.fund import TestFund
from tests.support.signing import (
    LARGE,
    approval_request,
    decision_for,
    make_policy,
    make_vote,
    refusal_code,
    sign_request,
    sign_vote,
    signer_client,
    transaction,
)

from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import redemption_decision_document
from paimon.domain.kernel.chain import parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.signing import SignedVote
from paimon.gateway.signer.policy_tables import ApprovalsTable
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable

pytestmark = pytest.mark.integration


async def test_approval_is_refused_without_a_vote(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    assert await refusal_code(signer, approval_request(fund, pending_request_id)) == "TOO_FEW_VOTES"


async def test_approval_is_refused_with_fewer_votes_than_the_policy_requires(
    fund: TestFund, tmp_path: Path, pending_request_id: int
) -> None:
    policy = make_policy(fund, tmp_path, approvals=ApprovalsTable(STANDARD=2))
    vera, viktor = make_vote(fund, "vera", pending_request_id), make_vote(fund, "viktor", pending_request_id)
    async with running_signer(policy, new_ledger=True):
        signer = signer_client(policy)
        assert await refusal_code(signer, approval_request(fund, pending_request_id, vera)) == "TOO_FEW_VOTES"
        await signer.sign(approval_request(fund, pending_request_id, vera, viktor))


async def test_approval_is_refused_when_one_approver_votes_twice(
    fund: TestFund, tmp_path: Path, pending_request_id: int
) -> None:
    policy = make_policy(fund, tmp_path, approvals=ApprovalsTable(STANDARD=2))
    once, again = make_vote(fund, "vera", pending_request_id), make_vote(fund, "vera", pending_request_id, policy_version=2)
    async with running_signer(policy, new_ledger=True):
        assert (
            await refusal_code(signer_client(policy), approval_request(fund, pending_request_id, once, again))
            == "DUPLICATE_VOTER"
        )


async def test_vote_is_refused_for_another_request(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    other = fund.request("ivan", LARGE)
    fund.wait_until_final()
    assert (
        await refusal_code(signer, approval_request(fund, pending_request_id, make_vote(fund, "vera", other)))
        == "REQUEST_MISMATCH"
    )


async def test_vote_is_refused_for_the_other_verdict(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    reject = make_vote(fund, "vera", pending_request_id, Verdict.REJECT)
    assert await refusal_code(signer, approval_request(fund, pending_request_id, reject)) == "VERDICT_MISMATCH"
    request = sign_request(
        fund,
        "approver",
        transaction(fund, "rejectRedemption", pending_request_id, ""),
        make_vote(fund, "vera", pending_request_id),
    )
    assert await refusal_code(signer, request) == "VERDICT_MISMATCH"


async def test_rejection_is_refused_with_a_reason_that_was_not_signed(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    unsigned = transaction(fund, "rejectRedemption", pending_request_id, "the tampered reason")
    signed_vote = make_vote(fund, "vera", pending_request_id, Verdict.REJECT, reason="the signed reason")
    assert await refusal_code(signer, sign_request(fund, "approver", unsigned, signed_vote)) == "REASON_MISMATCH"


@pytest.mark.parametrize("field", ["owner", "receiver"])
async def test_vote_is_refused_when_its_parties_differ_from_the_chain(
    signer: SignerClient, fund: TestFund, pending_request_id: int, field: str
) -> None:
    changes: dict[str, Any] = {field: parse_address(fund.accounts.address("inga"))}
    changed = make_vote(fund, "vera", pending_request_id, **changes)
    assert await refusal_code(signer, approval_request(fund, pending_request_id, changed)) == "PARTIES_MISMATCH"


async def test_vote_is_refused_when_its_amount_differs_from_the_chain(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    assert (
        await refusal_code(
            signer, approval_request(fund, pending_request_id, make_vote(fund, "vera", pending_request_id, gross_amount=1))
        )
        == "AMOUNT_MISMATCH"
    )


@pytest.mark.parametrize("scope", ["chain", "contract"])
async def test_vote_is_refused_for_another_chain_or_contract(
    signer: SignerClient, fund: TestFund, pending_request_id: int, scope: str
) -> None:
    manager = fund.addresses.redemption_manager
    foreign = SigningScope(56, manager) if scope == "chain" else SigningScope(31337, fund.addresses.vault)
    signed_vote = sign_vote(fund, "vera", decision_for(fund, pending_request_id, Verdict.APPROVE), foreign)
    assert await refusal_code(signer, approval_request(fund, pending_request_id, signed_vote)) == "DOMAIN_MISMATCH"


async def test_vote_is_refused_when_its_domain_was_changed_after_signing(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    """The vote is signed for another chain and sent with this chain's domain: the domain fits, the signature does not."""
    decision = decision_for(fund, pending_request_id, Verdict.APPROVE)
    foreign = sign_vote(fund, "vera", decision, SigningScope(56, fund.addresses.redemption_manager))
    relabelled = SignedVote(
        redemption_decision_document(decision, SigningScope(31337, fund.addresses.redemption_manager)), foreign.signature
    )
    assert await refusal_code(signer, approval_request(fund, pending_request_id, relabelled)) == "VOTER_LACKS_ROLE"


async def test_vote_is_refused_without_the_role_on_chain(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    assert (
        await refusal_code(signer, approval_request(fund, pending_request_id, make_vote(fund, "otto", pending_request_id)))
        == "VOTER_LACKS_ROLE"
    )


async def test_vote_is_refused_when_the_role_was_revoked(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    signed_vote = make_vote(fund, "vera", pending_request_id)
    role = fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    fund.send("ada", "RedemptionManager", "revokeRole", role, fund.accounts.address("vera"))
    fund.wait_until_final()
    assert await refusal_code(signer, approval_request(fund, pending_request_id, signed_vote)) == "VOTER_LACKS_ROLE"


async def test_vote_of_the_owner_is_refused_even_with_the_role(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    role = fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    fund.send("ada", "RedemptionManager", "grantRole", role, fund.accounts.address("ines"))
    fund.wait_until_final()
    assert (
        await refusal_code(signer, approval_request(fund, pending_request_id, make_vote(fund, "ines", pending_request_id)))
        == "VOTER_IS_PARTY"
    )


async def test_approval_is_refused_when_the_request_awaits_none(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    signed_vote = make_vote(fund, "vera", pending_request_id)
    fund.approve_on_chain(pending_request_id)
    fund.wait_until_final()
    assert await refusal_code(signer, approval_request(fund, pending_request_id, signed_vote)) == "NOT_AWAITING_APPROVAL"


async def test_approval_is_refused_for_a_request_unknown_on_chain(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    assert (
        await refusal_code(signer, approval_request(fund, pending_request_id + 1, make_vote(fund, "vera", pending_request_id)))
        == "UNKNOWN_REQUEST"
    )


@pytest.mark.parametrize("spoil", ["types", "message", "signature", "short"])
async def test_malformed_vote_is_refused(signer: SignerClient, fund: TestFund, pending_request_id: int, spoil: str) -> None:
    good = make_vote(fund, "vera", pending_request_id)
    document = dict(good.document)
    spoiled = {
        "types": SignedVote(document | {"types": {}}, good.signature),
        "message": SignedVote(document | {"message": {"requestId": "1"}}, good.signature),
        "signature": SignedVote(document, good.signature[:64] + b"\x63"),
        "short": SignedVote(document, good.signature[:64]),
    }[spoil]
    assert await refusal_code(signer, approval_request(fund, pending_request_id, spoiled)) == "MALFORMED_VOTE"


async def test_one_invalid_vote_refuses_the_whole_request(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    good, bad = make_vote(fund, "vera", pending_request_id), make_vote(fund, "otto", pending_request_id)
    assert await refusal_code(signer, approval_request(fund, pending_request_id, good, bad)) == "VOTER_LACKS_ROLE"


async def test_approval_is_refused_with_too_many_votes(signer: SignerClient, fund: TestFund, pending_request_id: int) -> None:
    many = [make_vote(fund, "vera", pending_request_id)] * 17
    assert await refusal_code(signer, approval_request(fund, pending_request_id, *many)) == "TOO_MANY_VOTES"


async def test_signer_refuses_decisions_when_it_cannot_read_the_chain(
    signer: SignerClient, fund: TestFund, pending_request_id: int, tmp_path: Path
) -> None:
    """The node stops after the start. Everything waits: without the chain, the signer knows no key's nonce."""
    policy = make_policy(fund, tmp_path)
    document = policy.read_text()
    (tmp_path / "other").mkdir()
    forward = await asyncio.start_server(_forward_to(fund), "127.0.0.1", 0)
    port = forward.sockets[0].getsockname()[1]
    policy.write_text(document.replace(fund.rpc_url, f"http://127.0.0.1:{port}").replace("signer.sock", "other/signer.sock"))
    policy.write_text(policy.read_text().replace("spend-ledger", "other/spend-ledger"))
    async with running_signer(policy, new_ledger=True):
        other = signer_client(policy)
        request = approval_request(fund, pending_request_id, make_vote(fund, "vera", pending_request_id))
        await other.sign(request)
        forward.close()
        _CONNECTIONS.close()
        for waiting in (request, sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1))):
            with pytest.raises(SignerUnavailable, match="cannot check"):
                await other.sign(waiting)


class _Connections:
    """The open connections of the forwarder, which the test closes."""

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
