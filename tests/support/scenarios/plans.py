"""Plans on a test's own services: the three wallets, what people hand in, and the workers that carry it out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from eth_utils.crypto import keccak
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from tests.support.chain.fund import WAD, TestFund
from tests.support.scenarios.multisig import DAY_LIMIT as WARM_DAY
from tests.support.scenarios.multisig import PLAN_LIMIT as WARM_PLAN
from tests.support.scenarios.multisig import Multisig
from tests.support.scenarios.sending import Office
from tests.support.signing import DAY_LIMIT, PLAN_LIMIT, scope_of

from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.plans.calls import AskedCall, WantedPlan
from paimon.application.transactions.plans.context import PlanDesk
from paimon.application.transactions.plans.preview import Preview, preview_plan
from paimon.application.transactions.plans.submit import Consent, submit_plan
from paimon.domain.kernel.chain import Hash32, hex0x, parse_address
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.settings import WalletLimitSettings

LIMITS: Final = {
    PlanWallet.HOT: WalletLimitSettings(plan=PLAN_LIMIT, day=DAY_LIMIT),
    PlanWallet.WARM: WalletLimitSettings(plan=WARM_PLAN, day=WARM_DAY),
}
"""As the signer's policy has them in these tests."""
HUGE: Final = WalletLimitSettings(plan=10**9, day=10**9)


@dataclass(frozen=True)
class Plans:
    """The use cases with short names. `sending` drives the keys, `owners` are the Safes'."""

    desk: PlanDesk
    sending: Office
    owners: Multisig

    @property
    def fund(self) -> TestFund:
        return self.sending.fund

    def with_limits(self, **limits: WalletLimitSettings) -> "Plans":
        changed = dict(self.desk.limits) | {PlanWallet(name): limit for name, limit in limits.items()}
        return replace(self, desk=replace(self.desk, limits=changed))

    def buy(self, usdt: int, symbol: str = "MMFA") -> AskedCall:
        token = self.fund.asset(symbol).address
        return AskedCall("AssetController", "purchaseAsset", {"token": token, "usdtAmount": str(usdt * WAD)})

    def wanted(self, *calls: AskedCall, key: str = "plan-1", plan: str | None = None) -> WantedPlan:
        return WantedPlan(key, plan or key, calls, "for a test")

    async def preview(self, *calls: AskedCall, key: str = "plan-1", plan: str | None = None) -> Preview:
        return await preview_plan(self.wanted(*calls, key=key, plan=plan), self.desk)

    async def hand_in(self, *calls: AskedCall, key: str = "plan-1", plan: str | None = None) -> PlanRow:
        """By this house itself, as a rule of its own would."""
        return await submit_plan(self.wanted(*calls, key=key, plan=plan), None, self.desk)

    async def sign(
        self, wanted: WantedPlan, *, by: str = "otto", role: UserRole = UserRole.OPERATOR, nonce: Hash32 | None = None
    ) -> Consent:
        """What somebody signs who has seen the dry run."""
        shown = await preview_plan(wanted, self.desk)
        assert shown.document is not None
        account = self.fund.people.account(by)
        if nonce is not None:
            shown.document["message"]["nonce"] = hex0x(nonce)
        message = shown.document["message"]
        return Consent(
            user=User(parse_address(account.address), role, by),
            wallet=PlanWallet(message["wallet"]),
            amount=shown.choice.amount,
            nonce=Hash32(bytes.fromhex(message["nonce"][2:])),
            expires_at=shown.expires_at,
            signature=hex0x(bytes(account.sign_typed_data(full_message=shown.document).signature)),
        )

    async def row(self, key: str = "plan-1") -> PlanRow:
        query = (
            select(PlanRow)
            .where(PlanRow.idempotency_key == key)
            .options(selectinload(PlanRow.calls).selectinload(PlanCallRow.intent))
        )
        async with self.desk.database.read() as session:
            return (await session.scalars(query)).one()

    async def intents(self) -> Sequence[IntentRow]:
        query = select(IntentRow).order_by(IntentRow.created_at)
        async with self.desk.database.read() as session:
            return (await session.scalars(query)).all()

    async def execute(self) -> None:
        """What the worker does about the Safes, until nothing of the keeper's is open."""
        for _ in range(6):
            await self.owners.look()
            await execute_ready(self.owners.desk, keeper=self.sending.keeper)
            await self.sending.check_now()
            await self.sending.drive(self.sending.keeper)
            self.fund.mine(3)
            if not await self.sending.open(self.sending.keeper):
                await self.owners.look()
                return
        raise AssertionError(f"still open: {[each.reason for each in await self.sending.open(self.sending.keeper)]}")

    @property
    def hot(self) -> Any:
        assert self.desk.hot is not None
        return self.desk.hot


def plans_of(office: Office, owners: Multisig) -> Plans:
    """The hot key and both Safes, with their roles on chain and the limits of the tests' signer."""
    yard = owners.safes.yard
    for safe in (owners.safes.warm, owners.safes.cold):
        yard.grant(safe, keccak(text="REBALANCER_ROLE"))
    yard.grant(owners.safes.cold, keccak(text="ADMIN_ROLE"))
    owners.fund.wait_final()
    hot = parse_address(office.fund.people.address("hot"))
    desk = PlanDesk(owners.desk, hot, LIMITS, timedelta(hours=1), scope_of(office.fund), 300)
    return Plans(desk, office.with_options(hot=hot), owners)
