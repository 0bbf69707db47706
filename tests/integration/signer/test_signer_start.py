"""The start and the end of the signer, its policy file and its keystores."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.support.chain.fund import TestFund
from tests.support.signing import (
    make_policy,
    refusal_code,
    sign_request,
    signer_client,
    transaction,
)

from paimon.domain.chain.finality import FinalityRule, FinalityTag
from paimon.domain.kernel.chain import parse_address
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import ApprovalsTable
from paimon.gateway.signer.process import SignerStartupError, run_signer, running_signer
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable
from paimon.infrastructure.keys.keystore import KeystoreError, create_keystore, load_key
from paimon.infrastructure.keys.link import SocketLink
from paimon.settings import FinalitySettings

pytestmark = pytest.mark.integration


async def start_refusal(policy: Path, *, new_ledger: bool = True) -> str:
    with pytest.raises(SignerStartupError) as refused:
        async with running_signer(policy, new_ledger=new_ledger):
            pass
    return str(refused.value)


async def test_signer_does_not_start_on_another_chain(fund: TestFund, tmp_path: Path) -> None:
    reason = await start_refusal(make_policy(fund, tmp_path, chain_id=56))
    assert "31337" in reason
    assert "56" in reason


async def test_signer_does_not_start_when_a_contract_is_missing(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    manager = fund.deployment.redemption_manager
    policy.write_text(policy.read_text().replace(manager, fund.accounts.address("otto")))
    assert "no contract" in await start_refusal(policy)


async def test_signer_does_not_start_when_a_key_differs_from_the_policy(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    policy.write_text(policy.read_text().replace(fund.accounts.address("keeper"), fund.accounts.address("hot")))
    reason = await start_refusal(policy)
    assert fund.accounts.address("keeper") in reason
    assert fund.accounts.address("hot") in reason


async def test_signer_does_not_start_with_a_wrong_password(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / "keeper.password").write_text("wrong password")
    reason = await start_refusal(policy)
    assert "does not open" in reason
    assert "wrong password" not in reason


@pytest.mark.parametrize("name", ["signer.toml", "keeper.json", "keeper.password"])
async def test_signer_does_not_start_when_others_may_read_its_files(fund: TestFund, tmp_path: Path, name: str) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / name).chmod(0o640)
    assert "chmod 600" in await start_refusal(policy)


@pytest.mark.parametrize("name", ["signer.toml", "keeper.json", "keeper.password"])
async def test_signer_does_not_start_without_its_files(fund: TestFund, tmp_path: Path, name: str) -> None:
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
async def test_signer_does_not_start_with_a_wrong_policy(
    fund: TestFund, tmp_path: Path, old: str, new: str, named: str
) -> None:
    policy = make_policy(fund, tmp_path)
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new, 1))
    assert named in await start_refusal(policy)


async def test_signer_that_moves_no_money_needs_no_word_about_a_second_one(fund: TestFund, tmp_path: Path) -> None:
    async with running_signer(make_policy(fund, tmp_path, only_signer=False), new_ledger=True):
        pass


@pytest.mark.parametrize(
    ("counter", "warns"), [("spend.counter", True), ("./spend.counter", True), ("link/spend.counter", True), ("other/c", False)]
)
async def test_signer_warns_of_a_counter_in_the_ledgers_folder(
    fund: TestFund, tmp_path: Path, counter: str, warns: bool
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    policy = make_policy(fund, tmp_path, counter=tmp_path / counter)
    with capture_logs() as logs:
        async with running_signer(policy, new_ledger=True):
            pass
    assert ("signer.counter_beside_ledger" in [line["event"] for line in logs]) is warns


async def test_second_signer_does_not_start_on_a_live_socket(signer: SignerClient, fund: TestFund, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    own_ledger: dict[str, Any] = {"ledger": tmp_path / "other" / "ledger", "counter": tmp_path / "other" / "counter"}
    assert "another signer listens" in await start_refusal(make_policy(fund, tmp_path, **own_ledger))
    assert (await signer.health())["chainId"] == 31337, "the first signer still serves"


async def test_second_signer_does_not_start_with_the_ledger_of_a_running_one(
    signer: SignerClient, fund: TestFund, tmp_path: Path
) -> None:
    policy = make_policy(fund, tmp_path, socket=tmp_path / "other.sock")
    assert "another signer has the spend ledger" in await start_refusal(policy, new_ledger=False)


async def test_signer_replaces_the_socket_of_a_killed_signer(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(tmp_path / "signer.sock"))
    left_behind.close()
    async with running_signer(policy, new_ledger=True):
        assert (await signer_client(policy).health())["chainId"] == 31337


async def test_signer_names_the_socket_whose_folder_cannot_be_made(fund: TestFund, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    policy = make_policy(fund, tmp_path, socket=tmp_path / "file" / "signer.sock")
    assert f"cannot listen on {tmp_path}/file/signer.sock" in await start_refusal(policy)


async def test_signer_never_removes_a_file_at_its_socket_path(fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path)
    (tmp_path / "signer.sock").write_text("other content")
    assert "no socket" in await start_refusal(policy)
    assert (tmp_path / "signer.sock").read_text() == "other content"


async def test_policy_loads_back_as_it_was_written(fund: TestFund, tmp_path: Path) -> None:
    path = make_policy(
        fund,
        tmp_path,
        approvals=ApprovalsTable(STANDARD=3),
        rpc_url=SecretStr('http://127.0.0.1:1/"key"'),
        finality=FinalitySettings(tag=FinalityTag.FINALIZED, depth=64),
    )
    policy = load_policy(path)
    assert policy.finality_rules[policy.chain_id].rule == FinalityRule(FinalityTag.FINALIZED, depth=64)
    assert policy.approvals.STANDARD == 3
    assert policy.rpc_url.get_secret_value() == 'http://127.0.0.1:1/"key"'
    assert path.stat().st_mode & 0o777 == 0o600
    assert "key" not in repr(policy.rpc_url)


async def test_sigterm_stops_the_signer_and_removes_its_socket(fund: TestFund, tmp_path: Path, eventually: Any) -> None:
    policy = make_policy(fund, tmp_path)
    path = tmp_path / "signer.sock"
    running = asyncio.create_task(run_signer(policy, new_ledger=True))

    async def listening() -> bool:
        return path.exists()

    await eventually(listening)
    assert path.stat().st_mode & 0o777 == 0o600
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 5)
    assert not path.exists()


async def test_client_reports_an_absent_signer_after_bounded_retries(tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="does not answer"):
        await SignerClient(SocketLink(tmp_path / "signer.sock"), timeout=1).health()


async def test_signer_refuses_a_malformed_request(signer: SignerClient, fund: TestFund) -> None:
    request = sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, nonce=-1))
    assert await refusal_code(signer, request) == "MALFORMED_REQUEST"


def test_keystore_opens_with_its_password_and_is_never_overwritten(tmp_path: Path) -> None:
    password, keystore = tmp_path / "password", tmp_path / "key.json"
    password.write_text("a password\n")
    password.chmod(0o600)
    account = Account.create()
    create_keystore(keystore, password, bytes(account.key), scrypt_cost=2)
    assert load_key(keystore, password).address == parse_address(account.address)
    assert keystore.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeystoreError, match="never overwritten"):
        create_keystore(keystore, password, bytes(Account.create().key), scrypt_cost=2)
