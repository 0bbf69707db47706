"""The harness of the fund's two Safes, with owners of every kind."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text, update
from tests.support.chain.fund import TestFund
from tests.support.chain.safes import SafeFactory, address_of, owner_account, signature_by_key, signature_by_safe
from tests.support.database_roles import WITHOUT_TRIGGERS, acting_as
from tests.support.signing import make_policy

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.propose import ProposeCalls, propose_calls
from paimon.application.transactions.multisig.queries import ProposalDetail, get_proposal_detail
from paimon.application.transactions.multisig.sign import SignProposal, sign_proposal
from paimon.application.transactions.multisig.store import get_proposal, signatures_of, transaction_of
from paimon.application.transactions.multisig.sync import sync_safes
from paimon.domain.kernel.chain import Address, ContractName, Hash32, hex0x, parse_address
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_transaction import OwnerSignature, SafeName, SafeScope, SafeTransaction
from paimon.domain.user.roles import User, UserRole
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import SAFE_MONEY_FUNCTIONS, SafeTable, SignableFunction
from paimon.gateway.signer.policy_text import write_policy
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import chain_adapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database

CHAIN_ID: Final = 31337
PLAN_LIMIT, DAY_LIMIT = 100_000, 150_000
"""Limits of the warm Safe; the day's limit is low, so that tests reach it."""
WARM_KEYS: Final = (1, 2, 3)
COLD_KEYS: Final = (4, 5, 6)
INNER_KEYS: Final = {"pair": (7, 8), "single": (9,)}
"""Owners of the two Safes that own the cold Safe; all of them must sign."""


@dataclass(frozen=True)
class FundSafes:
    """Warm: two of three keys. Cold: three of five owners, which are three keys and two Safes."""

    safe_factory: SafeFactory
    warm: Address
    cold: Address
    inner: dict[str, Address]

    @classmethod
    def deploy(cls, fund: TestFund) -> "FundSafes":
        safe_factory = SafeFactory.open(fund)
        inner = {name: safe_factory.safe(_wallets(keys), len(keys)) for name, keys in INNER_KEYS.items()}
        cold = safe_factory.safe([*_wallets(COLD_KEYS), *inner.values()], 3)
        found = cls(safe_factory, safe_factory.safe(_wallets(WARM_KEYS), 2), cold, inner)
        fund.wait_until_final()
        return found

    def context(self, database: Database, rpc: Rpc) -> SafeContext:
        return SafeContext(
            database=database,
            contracts=FundContracts(rpc, self.safe_factory.fund.addresses),
            chain=chain_adapter(CHAIN_ID),
            chain_id=CHAIN_ID,
            safes={SafeName.WARM: self.warm, SafeName.COLD: self.cold},
            multi_send=self.safe_factory.multi_send,
            proposal_ttl=timedelta(days=7),
        )


def _wallets(numbers: Sequence[int]) -> list[Address]:
    return [address_of(owner_account(number)) for number in numbers]


def safe_policy(fund: TestFund, safes: FundSafes, folder: Path) -> Path:
    """Write a signer's policy: the keeper executes for both Safes; the warm Safe and the hot key have limits."""
    path = make_policy(fund, folder, names=("keeper", "approver", "hot"))
    policy = load_policy(path)
    executes = policy.keys[0].model_copy(update={"functions": frozenset({SignableFunction.SETTLE, SignableFunction.EXECUTE})})
    warm = SafeTable(
        name="warm", address=safes.warm, functions=SAFE_MONEY_FUNCTIONS, plan_limit=PLAN_LIMIT, day_limit=DAY_LIMIT
    )
    changes = {
        "keys": (executes, *policy.keys[1:]),
        "safes": (warm, SafeTable(name="cold", address=safes.cold)),
        "contracts": policy.contracts.model_copy(update={"multi_send": safes.safe_factory.multi_send}),
    }
    write_policy(path, policy.model_copy(update=changes))
    return path


@dataclass(frozen=True)
class SafeHarness:
    """The use cases with short names, each with the rights of the process that has it."""

    safes: FundSafes
    context: SafeContext
    """The API's: people propose and sign there."""
    worker: SafeContext
    database: Database
    """For what a test arranges: its role may change every row."""
    vera: User

    @property
    def fund(self) -> TestFund:
        return self.safes.safe_factory.fund

    async def propose(self, key: str, *calls: Call, safe: SafeName = SafeName.WARM, at_nonce: int | None = None) -> Hash32:
        return await propose_calls(
            ProposeCalls(key, safe, calls or (self.allocate(1),), "for a test", at_nonce=at_nonce), self.context
        )

    def allocate(self, amount: int) -> Call:
        """A call of a fund's contract."""
        controller = ContractName.ASSET_CONTROLLER
        contracts = self.context.contracts
        return Call(contracts.address(controller), contracts.abis[controller].encode_call("allocateToLayer", 1, amount))

    def reverting_call(self) -> Call:
        """A call that the policy allows and the contract refuses: there is no such asset."""
        controller = ContractName.ASSET_CONTROLLER
        data = self.context.contracts.abis[controller].encode_call("purchaseAsset", "0x" + "66" * 20, 1)
        return Call(self.context.contracts.address(controller), data)

    def no_op_call(self) -> Call:
        """A call that anyone may make and that changes nothing."""
        return Call(self.fund.addresses.vault, self.context.contracts.abis[ContractName.VAULT].encode_call("asset"))

    async def row(self, hash_: Hash32) -> SafeProposalRow:
        async with self.context.database.read() as session:
            return await get_proposal(session, hash_)

    async def transaction(self, hash_: Hash32) -> SafeTransaction:
        return transaction_of(await self.row(hash_))

    async def details(self, hash_: Hash32) -> ProposalDetail:
        async with self.context.database.read() as session:
            return await get_proposal_detail(session, hash_, self.context)

    async def consent(self, hash_: Hash32, signer: int | str) -> OwnerSignature:
        """Sign as a key, by its number, or as an inner Safe, by its name."""
        transaction, scope = await self.signed_content(hash_)
        if isinstance(signer, int):
            return signature_by_key(owner_account(signer), transaction, scope)
        return signature_by_safe(
            self.safes.inner[signer], [owner_account(number) for number in INNER_KEYS[signer]], transaction, scope
        )

    async def signed_content(self, hash_: Hash32) -> tuple[SafeTransaction, SafeScope]:
        """Return what an owner of the proposal signs: its transaction, and the Safe that counts it."""
        row = await self.row(hash_)
        return transaction_of(row), self.context.scope(Address(row.safe))

    async def submit(self, hash_: Hash32, consent: OwnerSignature, *, user: User | None = None) -> None:
        command = SignProposal(hash_, user or self.vera, consent.owner, hex0x(consent.signature))
        await sign_proposal(command, self.context)

    async def sign(self, hash_: Hash32, *signers: int | str) -> None:
        for signer in signers:
            await self.submit(hash_, await self.consent(hash_, signer))

    async def execute_externally(self, hash_: Hash32) -> bool:
        """Execute the proposal from another account, and sync. Return whether the execution succeeded."""
        row = await self.row(hash_)
        scope = self.context.scope(Address(row.safe))
        receipt = self.safes.safe_factory.execute(scope, transaction_of(row), signatures_of(row))
        await self.sync()
        return int(receipt["status"], 16) == 1

    async def sync(self) -> None:
        self.fund.wait_until_final()
        await sync_safes(self.worker)

    async def expire(self, hash_: Hash32) -> None:
        """Move the expiry of the proposal into the past."""
        past = {"created_at": text("now() - interval '2 hours'"), "expires_at": text("now() - interval '1 hour'")}
        async with self.database.write() as session:
            await session.execute(WITHOUT_TRIGGERS)
            await session.execute(update(SafeProposalRow).where(SafeProposalRow.hash == hash_).values(**past))

    def with_safes(self, **safes: Address) -> "SafeHarness":
        """Return this harness with other Safes in the settings."""
        named = {SafeName(name): address for name, address in safes.items()}
        return replace(self, context=replace(self.context, safes=named), worker=replace(self.worker, safes=named))


def multisig(safes: FundSafes, context: SafeContext, worker: SafeContext, database: Database) -> SafeHarness:
    """Make the harness of the API's and the worker's use cases."""
    vera = User(parse_address(safes.safe_factory.fund.accounts.address("vera")), UserRole.ADMIN, "vera")
    return SafeHarness(safes, context, worker, database, vera)


@asynccontextmanager
async def multisig_by_roles(safes: FundSafes, database: Database, rpc: Rpc) -> AsyncIterator[SafeHarness]:
    """Open the harness with the database roles of the API and the worker."""
    async with acting_as(DatabaseRole.API, database) as api, acting_as(DatabaseRole.WORKER, database) as worker:
        yield multisig(safes, safes.context(api, rpc), safes.context(worker, rpc), database)
