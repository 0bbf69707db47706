"""Transactions and price changes of the test fund other than redemptions, and snapshots after them."""

from dataclasses import dataclass
from typing import Any, Final

from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import context_of
from tests.support.prices import ANY_PRICE

from paimon.application.nav.snapshots import take_snapshot
from paimon.composition import AppContext
from paimon.domain.kernel.units import Bps
from paimon.domain.price.policy import PricePolicy
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon_devkit.stack.accounts import ADMIN
from paimon_devkit.stack.fund_deployment import FundAsset

MATERIAL_THRESHOLD: Final = Bps(1)


async def snapshot_now(
    app_context: AppContext, fund: TestFund, *, keep: bool = True, prices: PricePolicy = ANY_PRICE
) -> FundSnapshot:
    """Record everything done so far and take a snapshot."""
    await record_all(app_context, fund)
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        taken = await take_snapshot(
            worker.database,
            worker.contracts,
            FundDocuments(worker.database, worker.redis),
            material_threshold=MATERIAL_THRESHOLD,
            prices=prices,
            keep=keep,
        )
    assert taken is not None
    return taken.snapshot


@dataclass(frozen=True)
class FundActivity:
    """Short methods for transactions of the fund."""

    fund: TestFund

    def asset(self, symbol: str) -> FundAsset:
        return next(asset for asset in self.fund.deployment.assets if asset.symbol == symbol)

    def act(self, name: str, contract: str, address: str, function: str, *args: Any) -> int:
        """Send one transaction to any contract and mine it. Return its block number."""
        with self.fund.chain() as chain:
            chain.call(self.fund.accounts.account(name), contract, chain.web3.to_checksum_address(address), function, *args)
            self.fund.mine(1)
            (receipt,) = chain.confirm()
        return int(receipt["blockNumber"])

    def controller(self, name: str, function: str, *args: Any) -> int:
        return self.act(name, "AssetController", self.fund.deployment.asset_controller, function, *args)

    def deposit(self, name: str, usdt: int) -> int:
        deployment = self.fund.deployment
        self.act(name, "TestToken", deployment.usdt, "approve", deployment.vault, usdt * WAD)
        return self.act(name, "Vault", deployment.vault, "deposit", usdt * WAD, self.fund.accounts.address(name))

    def set_price(self, symbol: str, price: int) -> int:
        return self.act(
            ADMIN, "OracleAdapter", self.fund.deployment.oracle_adapter, "setPrice", self.asset(symbol).address, price
        )

    def buy(self, symbol: str, usdt: int) -> int:
        return self.controller("hot", "purchaseAsset", self.asset(symbol).address, usdt * WAD)

    def sell(self, symbol: str, tokens_raw: int) -> int:
        return self.controller("hot", "redeemAsset", self.asset(symbol).address, tokens_raw)

    def earn(self, symbol: str, usdt: int) -> int:
        """Let the asset's issuer accrue a yield to the holding, and pay it in tokens."""
        adapter = self.asset(symbol).adapter
        assert adapter is not None
        self.act(ADMIN, "PurchaseAdapter", adapter, "earn", usdt * WAD)
        return self.controller("hot", "compoundYield")

    def pay_otc_order(self, symbol: str, usdt: int, tokens_raw: int) -> int:
        """Create and pay an OTC order. Return its id."""
        deployment = self.fund.deployment
        terms = (self.asset(symbol).address, usdt * WAD, tokens_raw, deployment.otc_counterparty, 30 * 86_400)
        self.controller("hot", "createOTCOrder", *terms)
        with self.fund.chain() as chain:
            order_id = int(chain.read("OTCManager", deployment.otc_manager, "orderCount"))
        self.controller("hot", "executeOTCPayment", order_id)
        return order_id

    def deliver(self, order_id: int, symbol: str, tokens_raw: int) -> int:
        deployment = self.fund.deployment
        ready = (self.asset(symbol).address, deployment.otc_manager, tokens_raw)
        self.act(ADMIN, "Counterparty", deployment.otc_counterparty, "deliver", *ready)
        return self.controller("hot", "confirmOTCDelivery", order_id, tokens_raw)
