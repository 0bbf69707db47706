"""The harness of plans on a test's own services: the three wallets, submissions, and the workers that carry them out."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from tests.support.api_client import fund_signing_rules
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.safes import address_of, owner_account
from tests.support.scenarios.multisig import COLD_KEYS, WARM_KEYS, SafeHarness
from tests.support.scenarios.multisig import DAY_LIMIT as WARM_DAY
from tests.support.scenarios.multisig import PLAN_LIMIT as WARM_PLAN
from tests.support.scenarios.sending import SendingHarness
from tests.support.signed_grants import grant
from tests.support.signing import DAY_LIMIT, PLAN_LIMIT, signing_scope

from paimon.application.approval_policy.publications import get_current_policy, publication_content
from paimon.application.approval_policy.store import insert_policy, next_version
from paimon.application.approval_tickets.store import get_ticket
from paimon.application.approval_workflow.decide import DecideTicket, decide_ticket
from paimon.application.common.signed_action import SignedAction
from paimon.application.common.signing_rules import SignatureEvidence, SigningRules
from paimon.application.common.store import use_nonce
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.application.transactions.plans.review_tickets import review_plan_tickets
from paimon.application.transactions.plans.submit import PlanSignature, submit_plan
from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket, plan_ticket_id
from paimon.domain.approval.policy_document import parse_policy, policy_document
from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import VoteContent
from paimon.domain.kernel.chain import Hash32, hex0x, parse_address
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.transaction import intent_of
from paimon.infrastructure.database.sessions import Database
from paimon.settings import WalletLimitSettings
from paimon_devkit.stack.demo_users import name_first_super_admin

LIMITS: Final = {
    PlanWallet.HOT: WalletLimitSettings(plan=PLAN_LIMIT, day=DAY_LIMIT),
    PlanWallet.WARM: WalletLimitSettings(plan=WARM_PLAN, day=WARM_DAY),
}
"""The limits of the signer's policy in these tests."""
HUGE: Final = WalletLimitSettings(plan=10**9, day=10**9)


@dataclass(frozen=True)
class PlanHarness:
    """The use cases with short names. `sending` drives the keys, `safe_harness` acts for the Safes' owners."""

    context: PlanContext
    sending: SendingHarness
    safe_harness: SafeHarness

    @property
    def fund(self) -> TestFund:
        return self.sending.fund

    def with_limits(self, **limits: WalletLimitSettings) -> "PlanHarness":
        changed = dict(self.context.limits) | {PlanWallet(name): limit for name, limit in limits.items()}
        return replace(self, context=replace(self.context, limits=changed))

    async def put_in_force(self, *rules: dict[str, Any]) -> None:
        """Put a policy of these rules in force."""
        await put_in_force(self.sending.database, self.fund, *rules)

    def buy(self, usdt: int, symbol: str = "MMFA") -> RequestedCall:
        token = self.fund.asset(symbol).address
        return RequestedCall("AssetController", "purchaseAsset", {"token": token, "usdtAmount": str(usdt * WAD)})

    def plan_request(self, *calls: RequestedCall, key: str = "plan-1", plan: str | None = None) -> PlanRequest:
        return PlanRequest(key, plan or key, calls, "for a test")

    async def preview(self, *calls: RequestedCall, key: str = "plan-1", plan: str | None = None) -> PlanPreview:
        return await preview_plan(self.plan_request(*calls, key=key, plan=plan), self.context)

    async def submit(self, *calls: RequestedCall, key: str = "plan-1", plan: str | None = None) -> PlanRow:
        """Submit the plan with Otto's signature; he is an admin here, so that he may plan any call."""
        requested = self.plan_request(*calls, key=key, plan=plan)
        return await submit_plan(requested, await self.sign(requested, role=UserRole.ADMIN), self.context)

    async def sign(
        self,
        plan_request: PlanRequest,
        *,
        by: str | int = "otto",
        role: UserRole = UserRole.OPERATOR,
        nonce: Hash32 | None = None,
    ) -> PlanSignature:
        return await sign_plan(plan_request, self.context, self.fund, by=by, role=role, nonce=nonce)

    async def row(self, key: str = "plan-1") -> PlanRow:
        query = (
            select(PlanRow)
            .where(PlanRow.idempotency_key == key)
            .options(selectinload(PlanRow.calls).selectinload(PlanCallRow.intent))
        )
        async with self.context.database.read() as session:
            return (await session.scalars(query)).one()

    async def intents(self) -> list[Intent]:
        query = select(IntentRow).order_by(IntentRow.created_at)
        async with self.context.database.read() as session:
            return [intent_of(row) for row in await session.scalars(query)]

    @property
    def worker_context(self) -> PlanContext:
        """The context with the worker's rights in the database."""
        return replace(self.context, safe_context=self.safe_harness.worker)

    async def ticket(self, plan: PlanRow) -> PlanTicket:
        async with self.context.database.read() as session:
            found = await get_ticket(session, plan_ticket_id(plan.id))
        assert isinstance(found, PlanTicket)
        return found

    async def owner_signs(self, plan: PlanRow, *owners: int | str) -> PlanTicket:
        """Sign the plan's Safe transaction as these owners, and return its ticket."""
        assert plan.proposal is not None
        await self.safe_harness.sign(Hash32(plan.proposal), *owners)
        return await self.ticket(plan)

    async def vote(self, plan: PlanRow, by: str | int, verdict: Verdict, *, role: UserRole = UserRole.ADMIN) -> AnyTicket:
        """Vote on the plan's ticket as a person, or as the owner of this number."""
        account = account_of(self.fund, by)
        ticket, rules = await self.ticket(plan), self.context.signing_rules
        async with self.context.database.read() as session:
            terms = rules.new_terms(await database_now(session))
        document = VoteContent(ticket, verdict).document("for a test", terms, rules.scope)
        signed = SignedAction(terms, hex0x(bytes(account.sign_typed_data(full_message=document).signature)))
        return await decide_ticket(
            DecideTicket(ticket.id, User(parse_address(account.address), role, str(by)), verdict, "for a test", signed),
            database=self.context.database,
            contracts=self.context.contracts,
            rules=rules,
            approver=parse_address(self.fund.accounts.address("approver")),
        )

    async def review(self, plan: PlanRow) -> PlanTicket:
        """Run the worker's sync and review, and return the plan's ticket."""
        await self.safe_harness.sync()
        await review_plan_tickets(self.worker_context)
        return await self.ticket(plan)

    async def execute(self) -> None:
        """Run the worker's steps for the Safes until no intent of the keeper is open."""
        for _ in range(6):
            await self.safe_harness.sync()
            await review_plan_tickets(self.worker_context)
            await execute_ready(self.safe_harness.worker, keeper=self.sending.keeper)
            await self.sending.make_due()
            await self.sending.drive(self.sending.keeper)
            self.fund.mine(3)
            if not await self.sending.open(self.sending.keeper):
                await self.safe_harness.sync()
                await review_plan_tickets(self.worker_context)
                return
        raise AssertionError(f"still open: {[intent.reason for intent in await self.sending.open(self.sending.keeper)]}")

    @property
    def hot(self) -> Any:
        assert self.context.hot is not None
        return self.context.hot


ALLOW_EVERYTHING: Final = {"name": "anything", "verdict": "ALLOW", "when": {}}
"""The rule of a policy that leaves every plan to the wallets' limits. No check would let it be published."""


async def put_in_force(database: Database, fund: TestFund, *rules: dict[str, Any]) -> None:
    """Put a policy of these rules in force: ada, the first super_admin, signs what no check would let her publish."""
    reason, signing = "a test", fund_signing_rules(fund)
    await name_first_super_admin(database, fund.accounts)
    async with database.write() as session:
        policy = parse_policy({"rules": list(rules)}, version=await next_version(session))
        in_force = await get_current_policy(session, signing.scope)
        if policy_document(policy) == policy_document(in_force):  # the harness put its policy in force before
            return
        terms = signing.new_terms(await database_now(session))
        words = {"resource": "/policy/drafts/1", "statement": f"Publish approval policy {policy.version}"}
        content = publication_content(policy.version, policy_document(policy), **words)
        signed = content.document(reason, terms, signing.scope)
        signature = bytes(fund.accounts.account("ada").sign_typed_data(full_message=signed).signature)
        publisher = parse_address(fund.accounts.address("ada"))
        evidence = SignatureEvidence(publisher, terms, signed, signature)
        await use_nonce(session, evidence, action=content.action, resource=content.resource)
        await insert_policy(session, policy, reason=reason, published_by=publisher, nonce=terms.nonce)


def account_of(fund: TestFund, name: str | int) -> LocalAccount:
    """Return the account of a person, or of the owner of this number."""
    return owner_account(name) if isinstance(name, int) else fund.accounts.account(name)


async def sign_plan(
    plan_request: PlanRequest,
    context: PlanContext,
    fund: TestFund,
    *,
    by: str | int = "otto",
    role: UserRole = UserRole.OPERATOR,
    nonce: Hash32 | None = None,
) -> PlanSignature:
    """Sign the document of the preview as this account, or as the owner of this number."""
    preview = await preview_plan(plan_request, context)
    assert preview.document is not None
    account = account_of(fund, by)
    if nonce is not None:
        preview.document["message"]["nonce"] = hex0x(nonce)
    message = preview.document["message"]
    return PlanSignature(
        user=User(parse_address(account.address), role, str(by)),
        wallet=PlanWallet(message["wallet"]),
        amount=preview.choice.amount,
        signed=SignedAction(
            terms=replace(preview.terms, nonce=Hash32(bytes.fromhex(message["nonce"][2:]))),
            signature=hex0x(bytes(account.sign_typed_data(full_message=preview.document).signature)),
        ),
    )


async def appoint_owners(database: Database, fund: TestFund) -> None:
    """Make the keys that own the two Safes administrators, by signed grants: their signatures are votes on tickets."""
    await name_first_super_admin(database, fund.accounts)
    for number in (*WARM_KEYS, *COLD_KEYS):
        address = address_of(owner_account(number))
        await grant(database, fund, f"owner-{number}", UserRole.ADMIN, address=address)


async def appoint_operator(database: Database, fund: TestFund) -> None:
    """Let Otto plan, who signs the plans of these tests."""
    await name_first_super_admin(database, fund.accounts)
    await grant(database, fund, "otto", UserRole.OPERATOR)


def plan_harness_for(harness: SendingHarness, safe_harness: SafeHarness) -> PlanHarness:
    """Make the harness: the hot key and both Safes, with their roles on chain and the signer's limits."""
    safe_factory = safe_harness.safes.safe_factory
    for safe in (safe_harness.safes.warm, safe_harness.safes.cold):
        safe_factory.grant(safe, keccak(text="REBALANCER_ROLE"))
    safe_factory.grant(safe_harness.safes.cold, keccak(text="ADMIN_ROLE"))
    safe_harness.fund.wait_until_final()
    hot = parse_address(harness.fund.accounts.address("hot"))
    context = PlanContext(safe_harness.context, hot, LIMITS, timedelta(hours=1), SigningRules(signing_scope(harness.fund), 300))
    return PlanHarness(context, harness.with_options(hot=hot), safe_harness)
