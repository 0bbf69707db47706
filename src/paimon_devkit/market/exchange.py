"""Where the market takes place and who is there: the fund's contracts and tokens, and an account for every name."""

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
    """One transaction to send. `to` is None for a creation."""

    what: str
    sender: str
    to: ChecksumAddress | None
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class Exchange:
    fund: FundDeployment
    accounts: Mapping[str, LocalAccount]
    contracts: Mapping[str, ChecksumAddress]
    tokens: Mapping[str, ChecksumAddress]
    adapters: Mapping[str, ChecksumAddress]
    artifacts: Mapping[str, Artifact]
    abis: Mapping[str, ContractAbi]
    reasons: ContractAbi
    """Every error of every contract, since one surfaces through another."""

    @classmethod
    def of(cls, fund: FundDeployment, fund_accounts: FundAccounts, artifacts: Path) -> Self:
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
            tokens={USDT: fund.usdt, **{each.symbol: each.address for each in fund.assets}, GUEST_ASSET: guest_token},
            adapters={each.symbol: each.adapter for each in fund.assets if each.adapter is not None},
            artifacts=loaded,
            abis={name: ContractAbi(artifact.items) for name, artifact in loaded.items()},
            reasons=ContractAbi([item for each in loaded.values() for item in each.items if item["type"] == "error"]),
        )

    def address(self, name: str) -> ChecksumAddress:
        """Of a person, or an address itself."""
        account = self.accounts.get(name)
        return account.address if account else ChecksumAddress(name)  # type: ignore[arg-type]  # addresses come checksummed

    def call(self, sender: str, contract: str, function: str, *args: Any) -> Call:
        return self._call(sender, contract, self.contracts[contract], function, *args)

    def token(self, sender: str, symbol: str, function: str, *args: Any) -> Call:
        return self._call(sender, "TestToken", self.tokens[symbol], function, *args)

    def adapter(self, sender: str, symbol: str, function: str, *args: Any) -> Call:
        return self._call(sender, "PurchaseAdapter", self.adapters[symbol], function, *args)

    def deploy(self, sender: str, contract: str, *args: Any) -> Call:
        return Call(f"deploy {contract}", sender, None, self.artifacts[contract].creation_code(*args), _DEPLOY_GAS)

    def _call(self, sender: str, contract: str, to: ChecksumAddress, function: str, *args: Any) -> Call:
        data = self.abis[contract].encode_call(function, *args)
        return Call(f"{contract}.{function}", sender, to, data, _GAS_OF.get(function, _GAS))


def _accounts(fund_accounts: FundAccounts) -> dict[str, LocalAccount]:
    """The fund's admin and approvers as they are; all others follow from the admin's key, so that one data folder always
    has the same crowd, and no other folder the same. None is a key of the house."""
    secret = bytes(fund_accounts.deployer.key)
    account_names = (*INVESTORS, TRADER, THIRD_PARTY, TREASURY, ISSUER, *GUESTS)
    derived = {name: Account.from_key(keccak(secret + f"simulated market: {name}".encode())) for name in account_names}
    return {ADMIN: fund_accounts.deployer, **dict(zip(APPROVERS, fund_accounts.approvers, strict=True)), **derived}
