"""The context of a plan: what every step with it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from paimon.application.common.signing_rules import SigningRules
from paimon.application.transactions.multisig.context import SafeContext
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database
from paimon.settings import WalletLimitSettings


@dataclass(frozen=True, slots=True)
class PlanContext:
    safe_context: SafeContext
    hot: Address | None
    limits: Mapping[PlanWallet, WalletLimitSettings]
    """A wallet without an entry has no limit."""
    hot_plan_ttl: timedelta
    signing_rules: SigningRules

    @property
    def database(self) -> Database:
        return self.safe_context.database

    @property
    def contracts(self) -> FundContracts:
        return self.safe_context.contracts

    def address(self, wallet: PlanWallet) -> Address | None:
        return self.hot if wallet is PlanWallet.HOT else self.safe_context.safes.get(SafeName(wallet))

    async def final_block(self) -> BlockStamp:
        return await self.safe_context.final_block()
