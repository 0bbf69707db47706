"""The test fund's deployer against a real local chain."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import BlockNumber, ChecksumAddress
from eth_utils.crypto import keccak
from tests.support.paths import CONTRACTS

from paimon_devkit.stack.chain_session import ChainSession
from paimon_devkit.stack.fund_deployment import FundAccounts, FundDeployment, TransactionFailed, deploy_fund
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.integration

ARTIFACTS = CONTRACTS / "artifacts"
WAD = 10**18
PENDING, PENDING_APPROVAL = 0, 1
STANDARD, SCHEDULED = 0, 2


def account(name: str) -> LocalAccount:
    derived: LocalAccount = Account.from_key(keccak(text=f"test fund: {name}"))
    return derived


ACCOUNTS = FundAccounts(
    deployer=account("deployer"),
    approvers=(account("voter 1"), account("voter 2")),
    investors=tuple(account(f"investor {number}") for number in range(1, 6)),
    approver_key=account("approver key").address,
    keeper=account("keeper").address,
    hot=account("hot").address,
)


@dataclass(frozen=True)
class Deployed:
    """A deployed fund and its chain."""

    addresses: FundDeployment
    chain: ChainSession
    steps: list[str]

    def vault(self, function: str, *args: Any) -> Any:
        return self.chain.read("Vault", self.addresses.vault, function, *args)

    def manager(self, function: str, *args: Any) -> Any:
        return self.chain.read("RedemptionManager", self.addresses.redemption_manager, function, *args)

    def controller(self, function: str, *args: Any) -> Any:
        return self.chain.read("AssetController", self.addresses.asset_controller, function, *args)

    def request(self, investor: LocalAccount, shares: int) -> dict[str, Any]:
        """Make a redemption request and read it back from the chain."""
        manager = self.addresses.redemption_manager
        self.chain.call(investor, "RedemptionManager", manager, "requestRedemption", shares, investor.address)
        self.chain.confirm()
        return dict(self.manager("getRedemptionRequest", self.manager("getRequestCount")))


@pytest.fixture(scope="module")
def rpc_url() -> Iterator[str]:
    """Run anvil's own binary: stopping a wrapper would leave the chain running."""
    (anvil,) = CONTRACTS.glob("node_modules/@foundry-rs/anvil-*/bin/anvil")
    port = free_port()
    arguments = ["--port", str(port), "--block-time", "1", "--slots-in-an-epoch", "1", "--silent"]
    with subprocess.Popen([str(anvil), *arguments]) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(url)
            yield url
        finally:
            process.terminate()


def wait_until_ready(url: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(request, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def fund(rpc_url: str) -> Iterator[Deployed]:
    steps: list[str] = []
    addresses = deploy_fund(rpc_url, accounts=ACCOUNTS, artifacts=ARTIFACTS, progress=steps.append)
    with ChainSession(rpc_url, ARTIFACTS) as chain:
        yield Deployed(addresses, chain, steps)


def role(name: str) -> bytes:
    return bytes(keccak(text=name))


def test_deployment_reports_its_progress(fund: Deployed) -> None:
    assert fund.steps[0] == "deploying contracts, wiring roles, adding assets"
    assert fund.steps[-1] == f"the fund is deployed, from block {fund.addresses.start_block} on"


def test_start_block_is_the_first_with_an_event_of_the_fund(fund: Deployed) -> None:
    eth, vault, block = fund.chain.web3.eth, fund.addresses.vault, fund.addresses.start_block
    assert eth.get_logs({"address": vault, "fromBlock": BlockNumber(0), "toBlock": BlockNumber(block - 1)}) == []
    assert eth.get_logs({"address": vault, "fromBlock": BlockNumber(block), "toBlock": BlockNumber(block)})


def test_deployment_survives_json(fund: Deployed) -> None:
    assert FundDeployment.from_json(fund.addresses.to_json()) == fund.addresses


def test_investors_hold_24_million_at_a_nav_of_one(fund: Deployed) -> None:
    assert fund.vault("totalAssets") >= 23_999_999 * WAD
    assert fund.vault("totalSupply") == 24_000_000 * WAD
    assert [fund.vault("balanceOf", investor.address) // WAD for investor in ACCOUNTS.investors] == [
        8_000_000, 6_000_000, 5_000_000, 3_000_000, 2_000_000,
    ]  # fmt: skip


def test_tiers_are_on_their_targets(fund: Deployed) -> None:
    gross = fund.vault("grossAssets")
    layers = [fund.vault(read) for read in ("getLayer1Liquidity", "getLayer2Liquidity", "getLayer3Value")]
    assert sum(layers) == gross
    for value, target_bps in zip(layers, (1_100, 3_100, 5_800), strict=True):
        assert abs(value * 10_000 // gross - target_bps) <= 1


def test_assets_cover_three_tiers_and_several_decimals(fund: Deployed) -> None:
    configs = fund.controller("getAssetConfigs")
    assert {config["tier"] for config in configs} == {0, 1, 2}
    assert {config["decimals"] for config in configs} == {6, 8, 18}
    assert len(configs) == len(fund.addresses.assets) >= 6


def test_purchases_cause_no_performance_fee(fund: Deployed) -> None:
    assert fund.controller("layer3HighWaterMark") == fund.vault("getLayer3Value")
    assert fund.controller("getPendingFees")["performance"] == 0


@pytest.mark.parametrize("voter", [approver.address for approver in ACCOUNTS.approvers] + [ACCOUNTS.approver_key])
def test_approvers_and_the_approver_key_may_approve(fund: Deployed, voter: ChecksumAddress) -> None:
    assert fund.manager("hasRole", role("VIP_APPROVER_ROLE"), voter)


def test_roles_are_granted_to_the_right_accounts_only(fund: Deployed) -> None:
    addresses, rebalancer = fund.addresses, role("REBALANCER_ROLE")
    assert fund.controller("hasRole", rebalancer, ACCOUNTS.hot)
    assert fund.controller("hasRole", rebalancer, addresses.redemption_manager)
    assert not fund.controller("hasRole", rebalancer, ACCOUNTS.deployer.address)
    assert not fund.controller("hasRole", rebalancer, ACCOUNTS.keeper)
    assert fund.vault("hasRole", role("OPERATOR_ROLE"), addresses.redemption_manager)
    assert fund.vault("hasRole", role("OPERATOR_ROLE"), addresses.asset_controller)
    assert fund.vault("hasRole", role("ADMIN_ROLE"), ACCOUNTS.deployer.address)


@pytest.mark.parametrize("payer", [ACCOUNTS.keeper, ACCOUNTS.approver_key, ACCOUNTS.hot, ACCOUNTS.approvers[0].address])
def test_sending_account_has_gas(fund: Deployed, payer: ChecksumAddress) -> None:
    assert fund.chain.web3.eth.get_balance(payer) >= WAD


def test_redemption_of_120_000_shares_is_standard_and_awaits_approval(fund: Deployed) -> None:
    request = fund.request(ACCOUNTS.investors[0], 120_000 * WAD)
    assert (request["channel"], request["status"], request["requiresApproval"]) == (STANDARD, PENDING_APPROVAL, True)
    assert request["settlementTime"] == 0


def test_redemption_of_three_percent_is_scheduled_for_a_quarterly_window(fund: Deployed) -> None:
    request = fund.request(ACCOUNTS.investors[1], 720_000 * WAD)
    assert (request["channel"], request["status"], request["requiresApproval"]) == (SCHEDULED, PENDING, False)
    assert request["windowId"] % 100 in (3, 6, 9, 12)
    assert request["settlementTime"] >= request["requestTime"] + 15 * 86_400


def test_reverted_transaction_names_the_contracts_reason(fund: Deployed) -> None:
    chain, vault = fund.chain, fund.addresses.vault
    chain.call(ACCOUNTS.investors[2], "Vault", vault, "deposit", 499 * WAD, ACCOUNTS.investors[2].address)
    with pytest.raises(TransactionFailed, match=r"Vault\.deposit failed.*DepositBelowMinimum\(amount=499"):
        chain.confirm()


def test_too_few_investors_are_refused_before_anything_is_sent(rpc_url: str) -> None:
    few = FundAccounts(ACCOUNTS.deployer, (), ACCOUNTS.investors[:4], ACCOUNTS.approver_key, ACCOUNTS.keeper, ACCOUNTS.hot)
    with pytest.raises(ValueError, match="needs 5 investors, got 4"):
        deploy_fund(rpc_url, accounts=few, artifacts=ARTIFACTS, progress=lambda _: None)
