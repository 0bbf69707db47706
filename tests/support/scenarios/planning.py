"""The harness of the planner: its own key, which is Willa's here, its own database role and its own limits in the signer.

Willa is no planner among the people: the signer's policy alone says what the key may sign.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from tests.support.chain.fund import WAD, TestFund
from tests.support.database_roles import acting_as
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.multisig import SafeHarness, safe_policy
from tests.support.scenarios.plans import HUGE, PlanHarness, appoint_operator, plan_harness_for
from tests.support.scenarios.sending import SendingHarness
from tests.support.signing import signer_client

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.planner_signature import Planner
from paimon.application.rebalance_engine.rebalance import rebalance_once
from paimon.application.rebalance_engine.refill_buffer import refill_buffer
from paimon.application.rebalance_engine.store import record_of
from paimon.application.transactions.plans.context import PlanContext
from paimon.composition import AppContext
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import parse_address
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.rebalance.buffer import PlannerLook, RefillPolicy
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_record import RebalanceRecord
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import User, UserRole
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.cli.keystore_signing import DocumentSigner
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import PlanSignerTable
from paimon.gateway.signer.policy_text import write_policy
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.database.models.ops.rebalance import RebalanceRow, RebalanceTriggerRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.local_key import LocalKey
from paimon.infrastructure.solver.solver import Solver
from paimon.settings import SendingSettings, WalletLimitSettings

PLANNER_PLAN, PLANNER_DAY = 3_000, 6_000
"""Limits in USDT of the planner in the signer's policy."""
ALWAYS: Final = RefillPolicy(below=Bps(10_000), smallest=RawAmount(WAD))


@dataclass(frozen=True)
class PlannerHarness:
    """The planner with its own role, and the harness of everyone else."""

    plans: PlanHarness
    planner: Planner
    context: PlanContext

    async def refill(self, *, hot_limit: int = 9_000, policy: RefillPolicy = ALWAYS) -> Any:
        limits = {**self.context.limits, PlanWallet.HOT: WalletLimitSettings(plan=hot_limit, day=hot_limit)}
        return await refill_buffer(self.planner, policy, replace(self.context, limits=limits))

    async def spend(self, usdt: int) -> None:
        """Let Otto buy L2, so that L1 is that much below what it was."""
        await self.plans.submit(self.plans.buy(usdt), key=f"buy {usdt}")
        await self.plans.sending.drive_until_idle(self.plans.hot)
        self.plans.fund.wait_until_final()

    def missing(self) -> int:
        buffer = self.plans.fund.read("AssetController", "getBufferPoolInfo")
        return int(buffer["target"]) - int(buffer["total"])

    def engine(self, app_context: AppContext, *, is_automatic: bool = True, **policy: Any) -> RebalanceContext:
        """The rebalance engine with the planner's role. The hot key has no limit of its own here; the signer's policy has."""
        limits = {**self.context.limits, PlanWallet.HOT: HUGE}
        return RebalanceContext(
            plans=replace(self.context, limits=limits),
            solver=Solver(),
            policy=PlanPolicy(**policy),
            risk_policy=app_context.settings.risk.policy(),
            is_automatic=is_automatic,
        )

    async def look(self, engine: RebalanceContext) -> PlannerLook:
        return await self.look_as(self.planner, engine)

    async def look_as(self, planner: Planner, engine: RebalanceContext) -> PlannerLook:
        return await rebalance_once(planner, engine)

    async def history(self) -> list[RebalanceRecord]:
        """Return every decision, the oldest first."""
        async with self.plans.context.database.read() as session:
            rows = await session.scalars(select(RebalanceRow).order_by(RebalanceRow.created_at))
            return [record_of(row) for row in rows]

    async def reasons(self) -> dict[str, str]:
        """Return the last verdict of each condition in words."""
        async with self.plans.context.database.read() as session:
            return {row.name: row.reason for row in await session.scalars(select(RebalanceTriggerRow))}

    async def execute_and_snapshot(self, app_context: AppContext) -> None:
        """Let the hot key make every call, and take a snapshot of the fund afterwards."""
        await self.plans.sending.drive_until_idle(self.plans.hot)
        self.plans.fund.wait_until_final()
        await snapshot_now(app_context, self.plans.fund)


def near(snapshot: FundSnapshot, *, layer2: int = 2, layer3: int = 0) -> dict[str, Any]:
    """A policy whose L2 and L3 are to gain these basis points from L1: its plan is small enough for the hot key."""
    total = sum(snapshot.tier_value(tier) for tier in Tier)
    shares = {tier: snapshot.tier_value(tier) * BPS_ONE // total for tier in (Tier.L2, Tier.L3)}
    shares[Tier.L2] += layer2
    shares[Tier.L3] += layer3
    targets = {Tier.L1: Bps(BPS_ONE - sum(shares.values()))} | {tier: Bps(share) for tier, share in shares.items()}
    return {"targets": targets, "landing": Bps(0), "smallest_plan": RawAmount(1)}


def spend_from_outside(fund: TestFund, usdt: int) -> None:
    """Buy L2 with the hot key before the system knows it."""
    fund.send("hot", "AssetController", "purchaseAsset", fund.asset("MMFA").address, usdt * WAD)
    fund.wait_until_final()


@asynccontextmanager
async def planner_harness(
    safe_harness: SafeHarness,
    worker_database: Database,
    fund: TestFund,
    folder: Path,
    *,
    plan_limit: int = PLANNER_PLAN,
    day_limit: int = PLANNER_DAY,
) -> AsyncIterator[PlannerHarness]:
    """Run a signer whose policy gives the planner these limits, in USDT."""
    path = safe_policy(fund, safe_harness.safes, folder)
    policy = load_policy(path)
    key = LocalKey(bytes(fund.accounts.account("willa").key))
    own = PlanSignerTable(name="planner", address=key.address, plan_limit=plan_limit, day_limit=day_limit)
    people = tuple(signer for signer in policy.plan_signers if signer.address != key.address)
    write_policy(path, policy.model_copy(update={"plan_signers": (*people, own)}))
    addresses = {name: parse_address(fund.accounts.address(name)) for name in ("keeper", "approver")}
    as_planner = acting_as(DatabaseRole.PLANNER, safe_harness.context.database)
    async with running_signer(path, new_ledger=True), as_planner as planner_database:
        context = safe_harness.context
        options = SendingSettings(**addresses, planner=key.address)
        sending = SendingHarness(fund, safe_harness.database, worker_database, context.contracts, signer_client(path), options)
        await appoint_operator(safe_harness.database, fund)
        plans = plan_harness_for(sending, safe_harness)
        signer = DocumentSigner(User(key.address, UserRole.OPERATOR, "planner"), key)
        own_context = replace(plans.context, safe_context=replace(context, database=planner_database))
        yield PlannerHarness(plans, Planner(signer.user, signer.sign), own_context)
