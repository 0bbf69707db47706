"""The signer over its real socket, on a real chain: what it signs, and every rule by which it does not."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import SecretStr
from tests.support.signing import decision_about, make_policy, sign_vote
from tests.support.testfund import TestFund

from paimon.domain.approval import Verdict
from paimon.domain.chain import parse_address
from paimon.domain.signing import FeeKind, Fees, SignedVote, SignRequest, UnsignedTransaction
from paimon.domain.transaction import Call
from paimon.domain.units import RawAmount
from paimon.domain.vote import VoteScope, typed_data
from paimon.gateway.signer.policy import ApprovalsTable, CapsTable, load_policy
from paimon.gateway.signer.process import SignerStartRefused, run_signer, running_signer
from paimon.infrastructure.blockchain.abi import load_abi
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable, SigningRefused
from paimon.infrastructure.keys.keystore import KeystoreError, create_keystore, load_key

pytestmark = pytest.mark.integration

MANAGER = load_abi("RedemptionManager")
GWEI = 10**9
LARGE = 120_000


def client_of(policy: Path) -> SignerClient:
    return SignerClient(load_policy(policy).socket, timeout=10)


@pytest.fixture
async def signer(fund: TestFund, tmp_path: Path) -> AsyncIterator[SignerClient]:
    policy = make_policy(fund, tmp_path)
    async with running_signer(policy):
        yield client_of(policy)


@pytest.fixture
def awaiting(fund: TestFund) -> int:
    """A final request that awaits approval; its owner and receiver is Ines."""
    request_id = fund.request("ines", LARGE)
    fund.wait_final()
    return request_id


def transaction(fund: TestFund, function: str, *args: Any, **changes: Any) -> UnsignedTransaction:
    call = Call(fund.addresses.redemption_manager, MANAGER.encode_call(function, *args))
    return replace(UnsignedTransaction(31337, 0, 300_000, FeeKind.EIP1559, Fees(2 * GWEI, GWEI), call), **changes)


def ask(fund: TestFund, key: str, unsigned: UnsignedTransaction, *votes: SignedVote) -> SignRequest:
    return SignRequest(parse_address(fund.people.address(key)), unsigned, votes)


async def refusal(signer: SignerClient, request: SignRequest) -> str:
    with pytest.raises(SigningRefused) as refused:
        await signer.sign(request)
    assert len(refused.value.reason) > 10, "a refusal says why"
    return refused.value.code


def approve(fund: TestFund, request_id: int, *votes: SignedVote) -> SignRequest:
    return ask(fund, "approver", transaction(fund, "approveRedemption", request_id), *votes)


def vote(fund: TestFund, voter: str, request_id: int, verdict: Verdict = Verdict.APPROVE, **changes: Any) -> SignedVote:
    return sign_vote(fund, voter, decision_about(fund, request_id, verdict, **changes))


# ------------------------------------------------------------------------------------------------------ what it signs


@pytest.mark.parametrize("kind", FeeKind)
async def test_the_keeper_settles(signer: SignerClient, fund: TestFund, kind: FeeKind) -> None:
    unsigned = transaction(fund, "settleRedemption", 1, fee_kind=kind)
    signed = await signer.sign(ask(fund, "keeper", unsigned))
    assert Account.recover_transaction(signed.raw) == fund.people.address("keeper")


async def test_the_approver_approves_with_a_valid_vote(signer: SignerClient, fund: TestFund, awaiting: int) -> None:
    signed = await signer.sign(approve(fund, awaiting, vote(fund, "vera", awaiting)))
    assert Account.recover_transaction(signed.raw) == fund.people.address("approver")


async def test_the_approver_rejects_with_the_reason_that_was_signed(
    signer: SignerClient, fund: TestFund, awaiting: int
) -> None:
    signed_vote = vote(fund, "vera", awaiting, Verdict.REJECT, reason="documents are missing")
    unsigned = transaction(fund, "rejectRedemption", awaiting, "documents are missing")
    await signer.sign(ask(fund, "approver", unsigned, signed_vote))


@pytest.mark.parametrize("key", ["keeper", "approver"])
async def test_every_key_may_use_up_a_nonce(signer: SignerClient, fund: TestFund, key: str) -> None:
    own = parse_address(fund.people.address(key))
    await signer.sign(ask(fund, key, transaction(fund, "settleRedemption", 1, call=Call(own, b""))))


async def test_health_names_the_keys(signer: SignerClient, fund: TestFund) -> None:
    health = await signer.health()
    assert health["chainId"] == 31337
    assert {key["name"]: key["address"] for key in health["keys"]} == {
        name: fund.people.address(name) for name in ("keeper", "approver")
    }


# ------------------------------------------------------------------------------------- what it refuses, whatever the key


async def test_another_chain(signer: SignerClient, fund: TestFund) -> None:
    assert await refusal(signer, ask(fund, "keeper", transaction(fund, "settleRedemption", 1, chain_id=56))) == "WRONG_CHAIN"


async def test_a_key_it_does_not_have(signer: SignerClient, fund: TestFund) -> None:
    assert await refusal(signer, ask(fund, "hot", transaction(fund, "settleRedemption", 1))) == "UNKNOWN_KEY"


async def test_gas_or_price_above_its_own_caps(signer: SignerClient, fund: TestFund) -> None:
    caps = CapsTable()
    for changes in ({"gas_limit": caps.gas_limit_max + 1}, {"fees": Fees(caps.fee_wei_max + 1, 1)}):
        request = ask(fund, "keeper", transaction(fund, "settleRedemption", 1, **changes))
        assert await refusal(signer, request) == "CAP_EXCEEDED"


async def test_value(signer: SignerClient, fund: TestFund) -> None:
    unsigned = transaction(fund, "settleRedemption", 1)
    with_value = replace(unsigned, call=replace(unsigned.call, value_wei=RawAmount(1)))
    assert await refusal(signer, ask(fund, "keeper", with_value)) == "VALUE_NOT_ZERO"
    own = parse_address(fund.people.address("keeper"))
    self_send = replace(unsigned, call=Call(own, b"", RawAmount(1)))
    assert await refusal(signer, ask(fund, "keeper", self_send)) == "VALUE_NOT_ZERO"


async def test_another_contract(signer: SignerClient, fund: TestFund) -> None:
    call = Call(fund.addresses.vault, MANAGER.encode_call("settleRedemption", 1))
    assert await refusal(signer, ask(fund, "keeper", transaction(fund, "settleRedemption", 1, call=call))) == "WRONG_CONTRACT"


async def test_a_self_send_that_carries_data(signer: SignerClient, fund: TestFund) -> None:
    own = parse_address(fund.people.address("keeper"))
    request = ask(fund, "keeper", transaction(fund, "settleRedemption", 1, call=Call(own, b"\x00")))
    assert await refusal(signer, request) == "WRONG_CONTRACT"


@pytest.mark.parametrize("tail", [b"\x00", b"\x00" * 32])
async def test_trailing_bytes(signer: SignerClient, fund: TestFund, tail: bytes) -> None:
    unsigned = transaction(fund, "settleRedemption", 1)
    padded = replace(unsigned, call=replace(unsigned.call, data=unsigned.call.data + tail))
    assert await refusal(signer, ask(fund, "keeper", padded)) == "UNKNOWN_CALL"


async def test_a_selector_the_contract_does_not_have(signer: SignerClient, fund: TestFund) -> None:
    call = Call(fund.addresses.redemption_manager, bytes.fromhex("deadbeef"))
    assert await refusal(signer, ask(fund, "keeper", transaction(fund, "settleRedemption", 1, call=call))) == "UNKNOWN_CALL"


@pytest.mark.parametrize(
    ("key", "function", "args"),
    [
        ("keeper", "approveRedemption", (1,)),
        ("keeper", "rejectRedemption", (1, "no")),
        ("keeper", "batchSettleRedemptions", (5,)),
        ("keeper", "pause", ()),
        ("approver", "settleRedemption", (1,)),
        ("approver", "cancelRedemption", (1,)),
    ],
)
async def test_a_function_of_another_key(
    signer: SignerClient, fund: TestFund, key: str, function: str, args: tuple[Any, ...]
) -> None:
    assert await refusal(signer, ask(fund, key, transaction(fund, function, *args))) == "FUNCTION_NOT_ALLOWED"


# -------------------------------------------------------------------------------------------- what a vote must be about


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
    with socket.socket() as proxy_port:
        proxy_port.bind(("127.0.0.1", 0))
        port = proxy_port.getsockname()[1]
    forward = await asyncio.start_server(_forward_to(fund), "127.0.0.1", port)
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


# ------------------------------------------------------------------------------------------- when it refuses to start


async def start_refusal(policy: Path) -> str:
    with pytest.raises(SignerStartRefused) as refused:
        async with running_signer(policy):
            pass
    return str(refused.value)


async def test_no_start_on_another_chain(fund: TestFund, tmp_path: Path) -> None:
    reason = await start_refusal(make_policy(fund, tmp_path, chain_id=56))
    assert "31337" in reason
    assert "56" in reason


async def test_no_start_with_contracts_that_are_not_there(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    manager = fund.deployment.redemption_manager
    policy.write_text(policy.read_text().replace(manager, fund.people.address("otto")))
    assert "no contract" in await start_refusal(policy)


async def test_no_start_with_a_key_that_is_not_the_stated_one(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    policy.write_text(policy.read_text().replace(fund.people.address("keeper"), fund.people.address("hot")))
    reason = await start_refusal(policy)
    assert fund.people.address("keeper") in reason
    assert fund.people.address("hot") in reason


async def test_no_start_with_a_wrong_password(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / "keeper.password").write_text("not that")
    reason = await start_refusal(policy)
    assert "does not open" in reason
    assert "not that" not in reason


@pytest.mark.parametrize("name", ["signer.toml", "keeper.json", "keeper.password"])
async def test_no_start_while_others_may_read(fund: TestFund, tmp_path: Path, name: str) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / name).chmod(0o640)
    assert "chmod 600" in await start_refusal(policy)


@pytest.mark.parametrize("name", ["signer.toml", "keeper.json", "keeper.password"])
async def test_no_start_without_its_files(fund: TestFund, tmp_path: Path, name: str) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / name).unlink()
    assert "cannot be read" in await start_refusal(policy)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('functions = ["approveRedemption"', 'functions = ["pause"', "functions"),
        ("STANDARD = 1", "STANDARD = 0", "STANDARD"),
        ("chain_id = 31337", "", "chain_id"),
        ("chain_id = 31337", "chain_id = 31337\nsurprise = 1", "surprise"),
        ("chain_id = 31337", "chain_id =", "TOML"),
        ('name = "keeper"', 'name = "approver"', "same name"),
    ],
)
async def test_no_start_with_a_wrong_policy(fund: TestFund, tmp_path: Path, old: str, new: str, named: str) -> None:
    policy = make_policy(fund, tmp_path)
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new, 1))
    assert named in await start_refusal(policy)


async def test_no_second_signer_on_a_live_socket(signer: SignerClient, fund: TestFund, tmp_path: Path) -> None:
    assert "another signer listens" in await start_refusal(make_policy(fund, tmp_path))
    assert (await signer.health())["chainId"] == 31337, "the first one is not disturbed"


async def test_a_killed_signers_socket_is_replaced(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(tmp_path / "signer.sock"))
    left_behind.close()
    async with running_signer(policy):
        assert (await client_of(policy).health())["chainId"] == 31337


async def test_a_file_at_the_sockets_path_is_left_alone(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / "signer.sock").write_text("somebody's notes")
    assert "no socket" in await start_refusal(policy)
    assert (tmp_path / "signer.sock").read_text() == "somebody's notes"


async def test_the_policy_survives_writing_and_reading(fund: TestFund, tmp_path: Path) -> None:
    path = make_policy(fund, tmp_path, approvals=ApprovalsTable(STANDARD=3), rpc_url=SecretStr('http://127.0.0.1:1/"key"'))
    policy = load_policy(path)
    assert policy.approvals.STANDARD == 3
    assert policy.rpc_url.get_secret_value() == 'http://127.0.0.1:1/"key"'
    assert path.stat().st_mode & 0o777 == 0o600
    assert "key" not in repr(policy.rpc_url)


# ------------------------------------------------------------------------------------------------------ its life, its files


async def test_sigterm_ends_it_cleanly_and_takes_the_socket_away(fund: TestFund, tmp_path: Path, eventually: Any) -> None:
    policy = make_policy(fund, tmp_path)
    path = load_policy(policy).socket
    running = asyncio.create_task(run_signer(policy))

    async def listening() -> bool:
        return path.exists()

    await eventually(listening)
    assert path.stat().st_mode & 0o777 == 0o600
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 5)
    assert not path.exists()


async def test_nobody_listening_is_unavailable_after_a_bounded_time(tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="does not answer"):
        await SignerClient(tmp_path / "signer.sock", timeout=1).health()


async def test_what_is_no_request_is_told_so(signer: SignerClient, fund: TestFund) -> None:
    request = ask(fund, "keeper", transaction(fund, "settleRedemption", 1, nonce=-1))
    assert await refusal(signer, request) == "MALFORMED_REQUEST"


def test_a_keystore_is_never_overwritten_and_opens_with_its_password(tmp_path: Path) -> None:
    password, keystore = tmp_path / "password", tmp_path / "key.json"
    password.write_text("a password\n")
    password.chmod(0o600)
    account = Account.create()
    create_keystore(keystore, password, bytes(account.key), scrypt_cost=2)
    assert load_key(keystore, password).address == parse_address(account.address)
    assert keystore.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeystoreError, match="never overwritten"):
        create_keystore(keystore, password, bytes(Account.create().key), scrypt_cost=2)
