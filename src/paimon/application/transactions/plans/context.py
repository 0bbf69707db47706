"""What every step with a plan needs, in one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from paimon.application.common.signed_action import SigningRules
from paimon.application.transactions.multisig.context import SafeContext
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database
from paimon.settings import WalletLimitSettings


@dataclass(frozen=True, slots=True)
class PlanContext:
    safes: SafeContext
    hot: Address | None
    limits: Mapping[PlanWallet, WalletLimitSettings]
    """Of the wallets that have any."""
    hot_plan_ttl: timedelta
    signing_rules: SigningRules

    @property
    def database(self) -> Database:
        return self.safes.database

    @property
    def contracts(self) -> FundContracts:
        return self.safes.contracts

    def address(self, wallet: PlanWallet) -> Address | None:
        return self.hot if wallet is PlanWallet.HOT else self.safes.safes.get(SafeName(wallet))

    async def final_block(self) -> BlockStamp:
        return await self.safes.final_block()
