"""What the demo's accounts do on chain: request redemptions, switch emergency mode, move time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon_devkit.stack.accounts import ADMIN, DemoAccounts
from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.chain_session import ChainSession
from paimon_devkit.stack.fund_deployment import VIP_APPROVER_ROLE, FundAsset, FundDeployment

WAD: Final = 10**18


@dataclass(frozen=True, slots=True)
class ChainActions:
    """Act on the chain with the demo's accounts."""

    rpc_url: str
    artifacts: Path
    fund: FundDeployment
    accounts: DemoAccounts

    def request(self, name: str, shares: int, *, emergency: bool = False) -> tuple[int, str]:
        """Request the redemption of whole `shares` of account `name`. Return the request's id and the transaction's hash.

        Raises TransactionFailed, before anything is sent when the fund would refuse it.
        """
        account = self.accounts.account(name)
        function = "requestEmergencyRedemption" if emergency else "requestRedemption"
        with ChainSession(self.rpc_url, self.artifacts) as chain:
            call_arguments = ("RedemptionManager", self.fund.redemption_manager, function, shares * WAD, account.address)
            chain.require_accepted(account, *call_arguments)
            chain.call(account, *call_arguments)
            (receipt,) = chain.confirm()
            ids = chain.read("RedemptionManager", self.fund.redemption_manager, "getUserRedemptions", account.address)
        return int(ids[-1]), receipt["transactionHash"].to_0x_hex()

    def set_emergency_mode(self, enabled: bool) -> str:
        """Switch emergency mode as the fund's admin. Return the transaction's hash."""
        with ChainSession(self.rpc_url, self.artifacts) as chain:
            chain.call(self.accounts.account(ADMIN), "Vault", self.fund.vault, "setEmergencyMode", enabled)
            (receipt,) = chain.confirm()
        return receipt["transactionHash"].to_0x_hex()

    def set_approver(self, name: str, *, holds: bool) -> None:
        """Grant an account the approver's role, or revoke it, as the fund's admin."""
        function, address = "grantRole" if holds else "revokeRole", self.accounts.address(name)
        with ChainSession(self.rpc_url, self.artifacts) as chain:
            call = ("RedemptionManager", self.fund.redemption_manager, function, VIP_APPROVER_ROLE, address)
            chain.call(self.accounts.account(ADMIN), *call)
            chain.confirm()

    def move_price(self, symbol: str, by_bps: int) -> None:
        """Set the oracle's price of an asset to its present one times 1 + `by_bps` / 10 000, as the fund's admin."""
        asset = self._asset(symbol)
        with ChainSession(self.rpc_url, self.artifacts) as chain:
            price = int(chain.read("OracleAdapter", self.fund.oracle_adapter, "getPrice", asset.address))
            moved = price * (10_000 + by_bps) // 10_000
            chain.call(
                self.accounts.account(ADMIN), "OracleAdapter", self.fund.oracle_adapter, "setPrice", asset.address, moved
            )
            chain.confirm()

    def tier_value(self, tier: Tier) -> int:
        """Return what the fund's assets of a tier are worth, in raw units of the vault's asset; L1 without cash."""
        with ChainSession(self.rpc_url, self.artifacts) as chain:
            return int(chain.read("AssetController", self.fund.asset_controller, "getLayerValue", tier.on_chain))

    def _asset(self, symbol: str) -> FundAsset:
        (asset,) = (asset for asset in self.fund.assets if asset.symbol == symbol)
        return asset

    def warp(self, seconds: int) -> int:
        """Move chain time forward and wait until it is final. Return the new time in Unix seconds."""
        rpc = ChainRpc(self.rpc_url)
        head = rpc.warp(seconds)
        return rpc.wait_until_final(head.number).timestamp

    def chain_time(self) -> int:
        """Return the newest block's time in Unix seconds."""
        return ChainRpc(self.rpc_url).head().timestamp

    def settlement_window_at(self, window_id: int) -> int:
        """Return when a scheduled window settles, in Unix seconds."""
        with ChainSession(self.rpc_url, self.artifacts) as chain:
            return int(chain.read("AssetScheduler", self.fund.asset_scheduler, "getWindowSettlementTime", window_id))

    def transaction_count(self, address: str) -> int:
        """Return how many transactions a wallet has sent."""
        return int(ChainRpc(self.rpc_url).call("eth_getTransactionCount", address, "latest"), 16)
