"""Set up workflows: a due call with its rows or a Safe's proposal, a wallet used before, and other accounts' transactions."""

from datetime import timedelta
from typing import Final

from eth_account import Account
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from sqlalchemy import text
from tests.support.chain.fund import ARTIFACTS, DAY, WAD, TestFund
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.factories.rows import insert_row
from tests.support.faults.faulty_node import FINAL_DEPTH
from tests.support.scenarios.forked_workflows import WorkflowOrder
from tests.support.scenarios.multisig import FundSafes, multisig
from tests.support.scenarios.plans import ALLOW_EVERYTHING, appoint_operator, put_in_force, sign_plan
from tests.support.scenarios.sending import SMALL, SendingHarness
from tests.support.scenarios.workflows import WORKFLOWS, Scenario
from tests.support.signing import MANAGER, signing_scope

from paimon.application.common.signing_rules import SigningRules
from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.submit import PlanSignature
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import Address, Hash32, hex0x
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.transaction.lifecycle import WALLET_BY_INTENT_KIND, IntentKind
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.database.models.derived import CursorRow, RedemptionRequestRow
from paimon.settings import Settings, WalletLimitSettings
from paimon_devkit.stack.chain_session import Artifact

VERDICTS_BY_KIND: Final = {
    IntentKind.APPROVE_REDEMPTION: (Verdict.APPROVE, ""),
    IntentKind.REJECT_REDEMPTION: (Verdict.REJECT, "documents are missing"),
}

HOT_LIMITS: Final = WalletLimitSettings(plan=10**9, day=10**9)
SIGNATURE_TTL_SECONDS: Final = 3_600


class Setup:
    """Makes the same start of a workflow as often as needed."""

    def __init__(self, harness: SendingHarness, settings: Settings, safes: FundSafes) -> None:
        self._harness, self._settings = harness, settings
        api, worker = (safes.context(database, harness.contracts.rpc) for database in (harness.database, harness.worker))
        self._safes = multisig(safes, api, worker, harness.database)
        self._proposes = False
        self._rpc = harness.fund.node.rpc
        self._snapshot = ""
        self._restores = 0
        self.external_hashes: frozenset[Hash32] = frozenset()

    async def prepare(self, name: str) -> WorkflowOrder:
        fund, kind = self._harness.fund, WORKFLOWS[name].kind
        settles = kind is IntentKind.SETTLE_REDEMPTION
        wallet = WALLET_BY_INTENT_KIND[kind]
        if settles or kind in VERDICTS_BY_KIND:  # the signer moves no money with a key that others have used
            self._rpc.call("eth_sendRawTransaction", signed_transaction(fund, wallet, fund.accounts.address(wallet)))
        request_id, plan = 0, None
        if kind is IntentKind.PLAN_STEP:
            plan = two_call_plan(fund)
            fund.mine(FINAL_DEPTH)  # what the wallet sent before is final, as after a request
        elif settles:
            request_id = self._harness.due_request(shares=90_000 if name == "unfunded" else SMALL)
            if name == "unfunded":
                drain_fund(fund)
        elif kind in VERDICTS_BY_KIND:
            request_id = self._harness.request_awaiting_approval()
        else:
            request_id, self._proposes = 0, True
        async with self._harness.database.write() as session:
            if settles:
                await insert_row(session, CursorRow)
                await insert_row(session, RedemptionRequestRow, request_id=request_id)
            elif kind in VERDICTS_BY_KIND:
                verdict, reason = VERDICTS_BY_KIND[kind]
                await self._harness.store_vote(session, request_id, verdict, reason)
        sent, recovery_transactions = external_transactions(fund, name, request_id)
        address = Address(to_canonical_address(fund.accounts.address(wallet)))
        signature = None if plan is None else await self._sign(plan, address)
        scenario = Scenario(request_id, address, sent, plan, signature, recovery_transactions)
        if name == "nonce_used_externally":
            self.external_hashes = frozenset(Hash32(keccak(hexstr=raw)) for raw in scenario.external_transactions)
        self._snapshot = self._harness.fund.snapshot()
        if self._proposes:
            await self.restore()
        return WorkflowOrder(name, self._settings_for(name, scenario), scenario)

    async def _sign(self, plan: PlanRequest, hot: Address) -> PlanSignature:
        """Sign once for all runs of the workflow, which together take longer than a signature usually lasts."""
        rules = SigningRules(signing_scope(self._harness.fund), SIGNATURE_TTL_SECONDS)
        context = PlanContext(self._safes.context, hot, {PlanWallet.HOT: HOT_LIMITS}, timedelta(hours=1), rules)
        await put_in_force(self._harness.database, self._harness.fund, ALLOW_EVERYTHING)
        await appoint_operator(self._harness.database, self._harness.fund)
        return await sign_plan(plan, context, self._harness.fund)

    def _settings_for(self, name: str, scenario: Scenario) -> Settings:
        if scenario.plan is not None:
            return with_hot_key(self._settings, scenario.wallet)
        if self._proposes:
            return self._with_safe(self._settings)
        return with_private_endpoint(self._settings) if name == "private" else self._settings

    def _with_safe(self, settings: Settings) -> Settings:
        named = {"warm": self._safes.safes.warm, "multi_send": self._safes.context.multi_send}
        return settings.model_copy(update={"sending": settings.sending.model_copy(update=named)})

    async def prepare_many(self) -> tuple[str, ...]:
        """Make work for both wallets, and sign what other accounts may do about it."""
        fund, manager = self._harness.fund, self._harness.fund.deployment.redemption_manager
        to_settle = [fund.request(name, SMALL) for name in ("ines", "ivan")]
        fund.warp(7 * DAY + 1)
        to_approve = self._harness.request_awaiting_approval("ilja")
        async with self._harness.database.write() as session:
            await insert_row(session, CursorRow)
            for request_id in to_settle:
                await insert_row(session, RedemptionRequestRow, request_id=request_id)
            await self._harness.store_vote(session, to_approve, *VERDICTS_BY_KIND[IntentKind.APPROVE_REDEMPTION])
        fund.mine(FINAL_DEPTH)
        self._snapshot = self._harness.fund.snapshot()
        return (
            signed_transaction(fund, "otto", manager, MANAGER.encode_call("settleRedemption", to_settle[0])),
            signed_transaction(fund, "vera", manager, MANAGER.encode_call("approveRedemption", to_approve)),
            signed_transaction(fund, "ivan", manager, MANAGER.encode_call("cancelRedemption", to_settle[1])),
        )

    async def restore(self) -> None:
        """Restore the chain and the tables as `prepare` left them."""
        self._harness.fund.revert(self._snapshot)
        self._rpc.call("anvil_dropAllTransactions")
        self._snapshot = self._harness.fund.snapshot()
        # Make blocks with new hashes: anvil forgets states by block hash, also of equal blocks that it makes again.
        self._restores += 1
        self._rpc.call("evm_increaseTime", self._restores)
        self._harness.fund.mine(FINAL_DEPTH)
        await self._delete("plan_calls", "plans")
        # A version of the policy counts only with its publication.
        await self._delete("signed_actions", but=f"action = '{ActionName.PUBLISH_POLICY}'")
        await self._delete("operator_actions", "transaction_attempts", "transaction_intents", "wallets", "outbox")
        await self._delete("safe_signatures", "safe_proposals", "safes")
        if self._proposes:
            proposal = await self._safes.propose("plan", self._safes.allocate(1))
            await self._safes.sign(proposal, 1, 2)

    async def clear(self) -> None:
        """Remove every row of this workflow."""
        self._proposes = False
        await self.restore()
        await self._delete("approval_records", "approval_tickets", schema="ops")
        await self._delete("redemption_requests", "cursor", schema="derived")

    async def _delete(self, *tables: str, schema: str = "ops", but: str = "false") -> None:
        async with self._harness.database.write() as session:
            await session.execute(WITHOUT_TRIGGERS)
            for table in tables:
                await session.execute(text(f"DELETE FROM {schema}.{table} WHERE NOT ({but})"))


def two_call_plan(fund: TestFund) -> PlanRequest:
    """A purchase, and the filling of a buffer that is above its target."""
    token = {"token": fund.asset("MMFA").address, "usdtAmount": str(5_000 * WAD)}
    calls = (RequestedCall("AssetController", "purchaseAsset", token), RequestedCall("AssetController", "rebalanceBuffer", {}))
    return PlanRequest("plan-1", "plan-1", calls, "for a test")


def with_hot_key(settings: Settings, hot: Address) -> Settings:
    """Set limits that admit the buffer's call: the signer would refuse its amount, and it is never signed."""
    sending = settings.sending.model_copy(update={"hot": hot, "hot_limits": HOT_LIMITS})
    approval = settings.approval.model_copy(update={"vote_ttl_seconds_max": SIGNATURE_TTL_SECONDS})
    return settings.model_copy(update={"sending": sending, "approval": approval})


def with_private_endpoint(settings: Settings) -> Settings:
    """Set the same node as private endpoint: its privacy does not matter here. In the end everything may go public."""
    chain = settings.chain.model_copy(update={"private_tx_url": settings.chain.rpc_url})
    sending = settings.sending.model_copy(update={"public_fallback": True, "private_wait_blocks": 1})
    return settings.model_copy(update={"chain": chain, "sending": sending})


def signed_transaction(fund: TestFund, name: str, to: str, data: bytes = b"", *, nonce_offset: int = 0) -> str:
    """Sign a transaction of this account, `nonce_offset` transactions ahead of its present nonce."""
    account = fund.accounts.account(name)
    nonce = int(fund.node.rpc.call("eth_getTransactionCount", account.address, "latest"), 16) + nonce_offset
    fields = {"chainId": 31337, "nonce": nonce, "gas": 3_000_000, "gasPrice": 40 * 10**9, "to": to, "value": 0, "data": data}
    return hex0x(bytes(Account.sign_transaction(fields, account.key).raw_transaction))


def drain_fund(fund: TestFund) -> None:
    """Leave the fund without anything to pay a settlement from."""
    usdt, vault = fund.deployment.usdt, fund.deployment.vault
    with fund.chain() as chain:
        cash = int(chain.read("TestToken", usdt, "balanceOf", vault))
    fund.send("ada", "Vault", "emergencyWithdraw", usdt, fund.accounts.address("ada"), cash)
    for asset in fund.deployment.assets:
        if asset.tier < 2:
            fund.send("ada", "AssetController", "removeAsset", asset.address)
    fund.wait_until_final()


def external_transactions(fund: TestFund, name: str, request_id: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what other accounts do in this workflow, and what must happen for it to end well."""
    usdt, vault = fund.deployment.usdt, fund.deployment.vault
    amount = 1_000_000 * WAD
    mint = Artifact.load(ARTIFACTS / "TestToken.json").abi.encode_call("mint", vault, amount)
    match name:
        case "cancelled":
            settle = MANAGER.encode_call("settleRedemption", request_id)
            return (signed_transaction(fund, "otto", fund.deployment.redemption_manager, settle),), ()
        case "nonce_used_externally":
            return (signed_transaction(fund, "keeper", fund.accounts.address("keeper")),), ()
        case "unfunded":
            drain = load_abi("Vault").encode_call("emergencyWithdraw", usdt, fund.accounts.address("ada"), amount)
            return (
                signed_transaction(fund, "ada", usdt, mint),
                signed_transaction(fund, "ada", vault, drain, nonce_offset=1),
                signed_transaction(fund, "ada", usdt, mint, nonce_offset=2),
            ), (signed_transaction(fund, "ivan", usdt, mint),)
    return (), ()
