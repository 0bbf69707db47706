"""The test fund on a real local chain, with short methods for the transactions of its accounts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from tests.support.paths import CONTRACTS

from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon_devkit.stack.accounts import ADMIN, APPROVERS, DemoAccounts
from paimon_devkit.stack.chain_session import ChainSession
from paimon_devkit.stack.embedded_chain import EmbeddedChain, find_anvil
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.fund_deployment import FundAsset, FundDeployment, deploy_fund

ARTIFACTS: Final = CONTRACTS / "artifacts"
MNEMONIC: Final = "test test test test test test test test test test test junk"
WAD: Final = 10**18
DAY: Final = 86_400


@dataclass(frozen=True)
class TestFund:
    """A deployed fund with investors and assets. Each test starts from the same state (see the `fund` fixture)."""

    __test__ = False

    node: EmbeddedChain
    deployment: FundDeployment
    accounts: DemoAccounts

    @property
    def rpc_url(self) -> str:
        return self.node.http_url

    @property
    def start_block(self) -> int:
        return self.deployment.start_block

    @property
    def addresses(self) -> FundAddresses:
        """The contracts' addresses, as the settings hold them."""
        return FundAddresses(
            parse_address(self.deployment.vault),
            parse_address(self.deployment.redemption_manager),
            parse_address(self.deployment.asset_controller),
        )

    @contextmanager
    def chain(self) -> Iterator[ChainSession]:
        with ChainSession(self.rpc_url, ARTIFACTS) as chain:
            yield chain

    def send(self, name: str, contract: str, function: str, *args: Any) -> int:
        """Send one transaction and mine it. Return its block number. `contract` is an artifact's name."""
        return self.send_to(name, contract, self._address_of(contract), function, *args)

    def _address_of(self, contract: str) -> ChecksumAddress:
        return {
            "Vault": self.deployment.vault,
            "RedemptionManager": self.deployment.redemption_manager,
            "AssetController": self.deployment.asset_controller,
            "AssetScheduler": self.deployment.asset_scheduler,
            "OracleAdapter": self.deployment.oracle_adapter,
            "SwapHelper": self.deployment.swap_helper,
            "OTCManager": self.deployment.otc_manager,
            "Counterparty": self.deployment.otc_counterparty,
        }[contract]

    def send_to(self, name: str, contract: str, address: str, function: str, *args: Any) -> int:
        """Send one transaction to a contract of which there are several: `TestToken`, `PurchaseAdapter`."""
        with self.chain() as chain:
            chain.call(self.accounts.account(name), contract, to_checksum_address(address), function, *args)
            self.mine(1)
            (receipt,) = chain.confirm()
        return int(receipt["blockNumber"])

    def asset(self, symbol: str) -> FundAsset:
        return next(asset for asset in self.deployment.assets if asset.symbol == symbol)

    def read(self, contract: str, function: str, *args: Any) -> Any:
        with self.chain() as chain:
            return chain.read(contract, self._address_of(contract), function, *args)

    def request(self, name: str, shares: int, *, emergency: bool = False) -> int:
        """Request a redemption of whole `shares`. Return the request's id."""
        function = "requestEmergencyRedemption" if emergency else "requestRedemption"
        self.send(name, "RedemptionManager", function, shares * WAD, self.accounts.address(name))
        return int(self.read("RedemptionManager", "getRequestCount"))

    def set_emergency_mode(self, enabled: bool) -> None:
        self.send(ADMIN, "Vault", "setEmergencyMode", enabled)

    def approve_on_chain(self, request_id: int, *, by: str = APPROVERS[0]) -> int:
        """Approve directly on the contract, outside this system. Return the block number."""
        return self.send(by, "RedemptionManager", "approveRedemption", request_id)

    def warp(self, seconds: int) -> None:
        """Move the chain's time forward and wait until the new time is final."""
        self.node.warp(seconds)
        self.wait_until_final()

    def mine(self, blocks: int) -> None:
        """Mine blocks now instead of one a second, to save the tests' time."""
        for _ in range(blocks):
            self.node.rpc.call("evm_mine")

    @contextmanager
    def stopped_mining(self) -> Iterator[None]:
        """Let no block be mined, except by hand."""
        rpc = self.node.rpc
        seconds = rpc.call("anvil_getIntervalMining") or 0
        rpc.call("evm_setIntervalMining", 0)
        try:
            yield
        finally:
            rpc.call("evm_setIntervalMining", seconds)

    def snapshot(self) -> str:
        """Return a name of the chain's present state, which one `revert` restores."""
        return str(self.node.rpc.call("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Undo what the chain did since the snapshot, with mining stopped.

        A block that anvil mines during a revert stands on a parent that the revert removes: the blocks between are missing
        for good, and no listener gets past them.
        """
        with self.stopped_mining():
            assert self.node.rpc.call("evm_revert", snapshot), "the chain is not as it was: all later tests would see it"

    def ensure_final_state(self) -> None:
        """Make sure that the node has the state of the final block.

        It keeps the states of the last 1 500 blocks ever mined, including blocks that a test has reverted. After many
        reverted blocks it has pruned the states of the remaining ones.
        """
        try:
            self.node.rpc.call("eth_getCode", self.deployment.vault, "finalized")
        except DemoError:
            self.mine(3)

    def wait_until_final(self) -> None:
        """Make everything mined so far final."""
        number = self.node.rpc.head().number
        self.mine(2)
        self.node.wait_until_final(number)


_CHAIN_AGE_SECONDS_MAX: Final = 300
"""One block a second and those of the tests: far below the 1 500 blocks whose states anvil keeps."""


class FundFactory:
    """Provide a fund for each test, on one chain until that is too old to keep its first states; then on a new one."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._chains = 0
        self._began = 0.0
        self._fund: TestFund | None = None

    def fund(self) -> TestFund:
        if self._fund is None or time.monotonic() - self._began > _CHAIN_AGE_SECONDS_MAX:
            self.stop()
            self._chains += 1
            self._began = time.monotonic()
            self._fund = start_fund(self._data / f"fund-{self._chains}", anvil=find_anvil(CONTRACTS))
            self._fund.mine(10)  # some history below the final block
        return self._fund

    def stop(self) -> None:
        if self._fund is not None:
            self._fund.node.stop()
            self._fund = None


def start_fund(data: Path, *, anvil: Path, slots_in_an_epoch: int = 1) -> TestFund:
    """Start a chain and deploy a fund on it. The caller stops `node`."""
    node = EmbeddedChain(data, anvil=anvil, mnemonic=MNEMONIC, slots_in_an_epoch=slots_in_an_epoch)
    node.start()
    accounts = DemoAccounts.of(MNEMONIC)
    deployment = deploy_fund(node.http_url, accounts=accounts.fund_accounts(), artifacts=ARTIFACTS, progress=lambda _line: None)
    return TestFund(node, deployment, accounts)
