"""The fund's contracts and tokens, and an account for every name of the market."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from web3.types import Nonce
from web3.utils.address import get_create_address

from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon_devkit.market.actions import USDT
from paimon_devkit.market.config import (
    ADMIN,
    APPROVERS,
    GUEST_ASSET,
    GUESTS,
    INVESTORS,
    ISSUER,
    THIRD_PARTY,
    TRADER,
    TREASURY,
)
from paimon_devkit.stack.chain_session import Artifact
from paimon_devkit.stack.fund_deployment import FundAccounts, FundDeployment

GUEST_ASSET_DECIMALS: Final = 4
GUEST_ASSET_TIER: Final = 1

_GAS: Final = 900_000
_GAS_OF: Final = {"setPrice": 150_000, "setPriceWithTimestamp": 150_000, "batchSettleRedemptions": 10_000_000}
_DEPLOY_GAS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to send. `to` is None for the creation of a contract."""

    label: str
    sender: str
    to: ChecksumAddress | None
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the market trades with, as calls to send."""

    fund: FundDeployment
    accounts: Mapping[str, LocalAccount]
    contracts: Mapping[str, ChecksumAddress]
    tokens: Mapping[str, ChecksumAddress]
    adapters: Mapping[str, ChecksumAddress]
    artifacts: Mapping[str, Artifact]
    abis: Mapping[str, ContractAbi]
    reasons: ContractAbi
    """The errors of all contracts: a call may revert with another contract's error."""

    @classmethod
    def of(cls, fund: FundDeployment, fund_accounts: FundAccounts, artifacts: Path) -> Self:
        """Load the contracts' artifacts and derive the accounts."""
        accounts = _accounts(fund_accounts)
        loaded = {path.stem: Artifact.load(path) for path in sorted(artifacts.glob("*.json"))}
        guest_token = get_create_address(accounts[ISSUER].address, Nonce(0))
        return cls(
            fund=fund,
            accounts=accounts,
            contracts={
                "Vault": fund.vault,
                "RedemptionManager": fund.redemption_manager,
                "AssetController": fund.asset_controller,
                "AssetScheduler": fund.asset_scheduler,
                "OracleAdapter": fund.oracle_adapter,
                "SwapHelper": fund.swap_helper,
                "OTCManager": fund.otc_manager,
                "Counterparty": fund.otc_counterparty,
            },
            tokens={USDT: fund.usdt, **{asset.symbol: asset.address for asset in fund.assets}, GUEST_ASSET: guest_token},
            adapters={asset.symbol: asset.adapter for asset in fund.assets if asset.adapter is not None},
            artifacts=loaded,
            abis={name: artifact.abi for name, artifact in loaded.items()},
            reasons=ContractAbi([item for artifact in loaded.values() for item in artifact.items if item["type"] == "error"]),
        )

    def address(self, name: str) -> ChecksumAddress:
        """Return the address of an account, or `name` itself if it is an address."""
        account = self.accounts.get(name)
        return account.address if account else ChecksumAddress(name)  # type: ignore[arg-type]  # addresses come checksummed

    def call(self, sender: str, contract: str, function: str, *args: Any) -> Call:
        """Return a call of one of the fund's contracts."""
        return self._call(sender, contract, self.contracts[contract], function, *args)

    def token(self, sender: str, symbol: str, function: str, *args: Any) -> Call:
        """Return a call of a token."""
        return self._call(sender, "TestToken", self.tokens[symbol], function, *args)

    def adapter(self, sender: str, symbol: str, function: str, *args: Any) -> Call:
        """Return a call of an asset's adapter."""
        return self._call(sender, "PurchaseAdapter", self.adapters[symbol], function, *args)

    def deploy(self, sender: str, contract: str, *args: Any) -> Call:
        """Return the creation of a contract."""
        return Call(f"deploy {contract}", sender, None, self.artifacts[contract].creation_code(*args), _DEPLOY_GAS)

    def _call(self, sender: str, contract: str, to: ChecksumAddress, function: str, *args: Any) -> Call:
        data = self.abis[contract].encode_call(function, *args)
        return Call(f"{contract}.{function}", sender, to, data, _GAS_OF.get(function, _GAS))


def _accounts(fund_accounts: FundAccounts) -> dict[str, LocalAccount]:
    """Return the fund's admin and approvers, and all other accounts, derived from the admin's key.

    So a data folder always has the same accounts, and another folder has others. None of them is an application's key.
    """
    secret = bytes(fund_accounts.deployer.key)
    account_names = (*INVESTORS, TRADER, THIRD_PARTY, TREASURY, ISSUER, *GUESTS)
    derived = {name: Account.from_key(keccak(secret + f"simulated market: {name}".encode())) for name in account_names}
    return {ADMIN: fund_accounts.deployer, **dict(zip(APPROVERS, fund_accounts.approvers, strict=True)), **derived}
