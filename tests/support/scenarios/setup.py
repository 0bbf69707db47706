"""Where lives begin: a call that is due, its books or a Safe's proposal, a wallet used before, and what others will do."""

from typing import Final

from eth_account import Account
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from sqlalchemy import text
from tests.support.chain.fund import ARTIFACTS, DAY, WAD, TestFund
from tests.support.factories.rows import put
from tests.support.faults.faulty_node import FINAL_DEPTH
from tests.support.scenarios.forked_workflows import Order
from tests.support.scenarios.multisig import FundSafes, multisig
from tests.support.scenarios.sending import SMALL, Office
from tests.support.scenarios.workflows import LIVES, Story
from tests.support.signing import MANAGER

from paimon.application.transactions.plans.calls import AskedCall, WantedPlan
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import Address, Hash32, hex0x
from paimon.domain.transaction.lifecycle import WALLET_OF, IntentKind
from paimon.infrastructure.blockchain.abi import ContractAbi, load_abi
from paimon.infrastructure.database.models.derived import CursorRow, RedemptionRequestRow
from paimon.settings import Settings, WalletLimitSettings
from paimon_devkit.stack.chain_session import Artifact

RULINGS: Final = {
    IntentKind.APPROVE_REDEMPTION: (Verdict.APPROVE, ""),
    IntentKind.REJECT_REDEMPTION: (Verdict.REJECT, "documents are missing"),
}


class Stage:
    """The same beginning for a life, as often as one asks."""

    def __init__(self, office: Office, settings: Settings, safes: FundSafes) -> None:
        self._office, self._settings = office, settings
        self._safes = multisig(safes, safes.desk(office.database, office.contracts.rpc))
        self._proposes = False
        self._rpc = office.fund.node.rpc
        self._snapshot: str | None = None
        self._begun = 0
        self.elsewhere: frozenset[Hash32] = frozenset()

    async def prepare(self, name: str) -> Order:
        fund, kind = self._office.fund, LIVES[name].kind
        settles = kind is IntentKind.SETTLE_REDEMPTION
        wallet = WALLET_OF[kind]
        self._rpc.call("eth_sendRawTransaction", signed(fund, wallet, fund.people.address(wallet)))
        request_id, plan = 0, None
        if kind is IntentKind.PLAN_STEP:
            plan = two_calls(fund)
            fund.mine(FINAL_DEPTH)  # what the wallet sent before is final, as where a request is made
        elif settles:
            request_id = self._office.due(shares=90_000 if name == "unfunded" else SMALL)
            if name == "unfunded":
                empty(fund)
        elif kind in RULINGS:
            request_id = self._office.awaiting()
        else:
            request_id, self._proposes = 0, True
        async with self._office.database.write() as session:
            if settles:
                await put(session, CursorRow)
                await put(session, RedemptionRequestRow, request_id=request_id)
            elif kind in RULINGS:
                verdict, reason = RULINGS[kind]
                await self._office.store_vote(session, request_id, verdict, reason)
        sent, rescue = others(fund, name, request_id)
        story = Story(request_id, Address(to_canonical_address(fund.people.address(wallet))), sent, plan, rescue)
        if name == "taken":
            self.elsewhere = frozenset(Hash32(keccak(hexstr=each)) for each in story.others)
        self._snapshot = self._rpc.call("evm_snapshot")
        if self._proposes:
            await self.begin()
        return Order(name, self._settings_for(name, story), story)

    def _settings_for(self, name: str, story: Story) -> Settings:
        if story.plan is not None:
            return with_hot_key(self._settings, story.wallet)
        if self._proposes:
            return self._with_safe(self._settings)
        return with_private_endpoint(self._settings) if name == "private" else self._settings

    def _with_safe(self, settings: Settings) -> Settings:
        named = {"warm": self._safes.safes.warm, "multi_send": self._safes.desk.multi_send}
        return settings.model_copy(update={"sending": settings.sending.model_copy(update=named)})

    async def prepare_many(self) -> tuple[str, ...]:
        """Work for both wallets, and what others may do about it meanwhile, signed."""
        fund, manager = self._office.fund, self._office.fund.deployment.redemption_manager
        to_settle = [fund.request(name, SMALL) for name in ("ines", "ivan")]
        fund.warp(7 * DAY + 1)
        to_approve = self._office.awaiting("ilja")
        async with self._office.database.write() as session:
            await put(session, CursorRow)
            for request_id in to_settle:
                await put(session, RedemptionRequestRow, request_id=request_id)
            await self._office.store_vote(session, to_approve, *RULINGS[IntentKind.APPROVE_REDEMPTION])
        fund.mine(FINAL_DEPTH)
        self._snapshot = self._rpc.call("evm_snapshot")
        return (
            signed(fund, "otto", manager, MANAGER.encode_call("settleRedemption", to_settle[0])),
            signed(fund, "vera", manager, MANAGER.encode_call("approveRedemption", to_approve)),
            signed(fund, "ivan", manager, MANAGER.encode_call("cancelRedemption", to_settle[1])),
        )

    async def begin(self) -> None:
        """Everything as `prepare` left it."""
        self._rpc.call("evm_revert", self._snapshot)
        self._rpc.call("anvil_dropAllTransactions")
        self._snapshot = self._rpc.call("evm_snapshot")
        # Blocks never made before: anvil forgets the states of old ones, and by their hash also those of new ones like them.
        self._begun += 1
        self._rpc.call("evm_increaseTime", self._begun)
        self._office.fund.mine(FINAL_DEPTH)
        await self._delete("plan_calls", "plans")
        await self._delete("desk_deeds", "transaction_attempts", "transaction_intents", "wallets", "outbox")
        await self._delete("safe_signatures", "safe_proposals", "safes")
        if self._proposes:
            proposal = await self._safes.propose("plan", self._safes.allocate(1))
            await self._safes.sign(proposal, 1, 2)

    async def clear(self) -> None:
        """No trace of this life in the tables."""
        self._proposes = False
        await self.begin()
        await self._delete("approval_records", "approval_tickets", schema="owned")
        await self._delete("redemption_requests", "cursor", schema="derived")

    async def _delete(self, *tables: str, schema: str = "owned") -> None:
        async with self._office.database.write() as session:
            for table in tables:
                await session.execute(text(f"DELETE FROM {schema}.{table}"))


def two_calls(fund: TestFund) -> WantedPlan:
    """A purchase, and filling the buffer, which has more than it wants."""
    token = {"token": fund.asset("MMFA").address, "usdtAmount": str(5_000 * WAD)}
    calls = (AskedCall("AssetController", "purchaseAsset", token), AskedCall("AssetController", "rebalanceBuffer", {}))
    return WantedPlan("plan-1", "plan-1", calls, "for a test")


def with_hot_key(settings: Settings, hot: Address) -> Settings:
    """Limits that let the buffer's call through: what it counts for is the signer's to refuse, and it is never signed."""
    limits = WalletLimitSettings(plan=10**9, day=10**9)
    return settings.model_copy(update={"sending": settings.sending.model_copy(update={"hot": hot, "hot_limits": limits})})


def with_private_endpoint(settings: Settings) -> Settings:
    """The same node once more; that it tells nobody is not what is looked at here. In the end everything may go public."""
    chain = settings.chain.model_copy(update={"private_tx_url": settings.chain.rpc_url})
    sending = settings.sending.model_copy(update={"public_fallback": True, "private_blocks": 1})
    return settings.model_copy(update={"chain": chain, "sending": sending})


def signed(fund: TestFund, name: str, to: str, data: bytes = b"", *, later: int = 0) -> str:
    """A transaction of this person's, to be sent by whoever wants; `later` is how many come before it."""
    account = fund.people.account(name)
    nonce = int(fund.node.rpc.call("eth_getTransactionCount", account.address, "latest"), 16) + later
    fields = {"chainId": 31337, "nonce": nonce, "gas": 3_000_000, "gasPrice": 40 * 10**9, "to": to, "value": 0, "data": data}
    return hex0x(bytes(Account.sign_transaction(fields, account.key).raw_transaction))


def empty(fund: TestFund) -> None:
    """Leave the fund without anything it could pay a settlement from."""
    usdt, vault = fund.deployment.usdt, fund.deployment.vault
    with fund.chain() as chain:
        cash = int(chain.read("TestToken", usdt, "balanceOf", vault))
    fund.send("ada", "Vault", "emergencyWithdraw", usdt, fund.people.address("ada"), cash)
    for asset in fund.deployment.assets:
        if asset.tier < 2:
            fund.send("ada", "AssetController", "removeAsset", asset.address)
    fund.wait_final()


def others(fund: TestFund, name: str, request_id: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What other people do in this life, and what must be done for it to end well."""
    usdt, vault = fund.deployment.usdt, fund.deployment.vault
    money = 1_000_000 * WAD
    mint = ContractAbi(Artifact.load(ARTIFACTS / "TestToken.json").items).encode_call("mint", vault, money)
    match name:
        case "cancelled":
            settle = MANAGER.encode_call("settleRedemption", request_id)
            return (signed(fund, "otto", fund.deployment.redemption_manager, settle),), ()
        case "taken":
            return (signed(fund, "keeper", fund.people.address("keeper")),), ()
        case "unfunded":
            drain = load_abi("Vault").encode_call("emergencyWithdraw", usdt, fund.people.address("ada"), money)
            return (
                signed(fund, "ada", usdt, mint),
                signed(fund, "ada", vault, drain, later=1),
                signed(fund, "ada", usdt, mint, later=2),
            ), (signed(fund, "ivan", usdt, mint),)
    return (), ()
