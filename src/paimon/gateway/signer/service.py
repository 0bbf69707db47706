"""Sign one request: check the bytes, check votes or plans against the chain's final state, sign, and record the signature.

A movement of money is valued, compared with the ledger, signed and entered in the ledger under one lock, so that two requests
cannot both take the rest of a limit. The entry is on disk before the signature leaves this process.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from paimon.domain.kernel.chain import Address, BlockStamp, OnChainRole, checksum, hex0x
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.signing import SignedTransaction, SignRequest
from paimon.domain.transaction.spending_limit import LimitExceeded, Spend, SpendingLimit, require_within_limit
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.signer.agreed_chain import AgreedChain, ChainNotRead, NonceCounts
from paimon.gateway.signer.check_request import (
    DecisionCall,
    FundMovement,
    RefusalCode,
    RequestRefused,
    SafeExecution,
    check_request,
)
from paimon.gateway.signer.ledger import Ledger, LedgerEntry
from paimon.gateway.signer.plan_documents import CheckedPlan, require_signed_plan, require_unspent
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.signature_age import require_fresh
from paimon.gateway.signer.update_ledger import update_ledger
from paimon.gateway.signer.votes import ChainFacts, read_votes, require_enough_votes
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import read_amounts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted, ReadBatch
from paimon.infrastructure.keys.encoding import sign_transaction
from paimon.infrastructure.keys.key import Key, KeyUnavailable

if TYPE_CHECKING:
    # A signer without a database does not load its libraries.
    from paimon.gateway.signer.key_leases import KeyLeases

log = structlog.get_logger(__name__)

NONCES_AHEAD_MAX: Final = 32
"""How far a nonce may be ahead of the chain. The application has 16 in flight; the rest is for a node that lags a little."""


class SigningService:
    """Sign requests by a policy, with the signer's own keys, spend ledger and RPC endpoints."""

    def __init__(
        self,
        policy: SignerPolicy,
        keys: Mapping[Address, Key],
        chain: AgreedChain,
        *,
        limits: Mapping[Address, SpendingLimit],
        ledger: Ledger,
        leases: "KeyLeases | None" = None,
    ) -> None:
        """`limits` is by the address of a key, a Safe or a plan signer. Without `leases` the ledger's file is the lease."""
        self.policy = policy
        self._keys = keys
        self._chain = chain
        self._limits = limits
        self._ledger = ledger
        self._leases = leases
        self._spending_lock = asyncio.Lock()
        self._wallet_locks: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._scope = SigningScope(policy.chain_id, policy.contracts.redemption_manager)

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """Check the request and sign its transaction; a refusal is logged.

        Raises:
            RequestRefused
        """
        try:
            key, permitted_call = check_request(request, self.policy, self._chain.abis)
            final = await self._final_block()
            counts = await self._require_near_nonce(request, final)
            match permitted_call:
                case FundMovement():
                    plan: CheckedPlan | None = self._require_plan(request, PlanWallet.HOT)
                    limit = self._limits[request.wallet]
                    signed = await self._sign_within_limits((permitted_call,), limit, plan, request, final, counts)
                case SafeExecution(safe, movements) if movements:
                    # The owners have decided. A plan's document says which other transactions belong to the same plan.
                    plan = None if request.plan is None else self._require_plan(request, safe.name, permitted_call)
                    limit = self._limits[safe.address]
                    signed = await self._sign_within_limits(movements, limit, plan, request, final, counts)
                case DecisionCall():
                    await self._require_votes(permitted_call, request, final)
                    signed = await self._sign(request)
                case _:
                    signed = await self._sign(request)
        except RequestRefused as refused:
            log.warning("signer.refused", wallet=hex0x(request.wallet), code=refused.code, reason=refused.reason)
            raise
        log.info(
            "signer.signed", key=key.name, call=str(permitted_call), nonce=request.transaction.nonce, hash=hex0x(signed.hash)
        )
        return signed

    async def _require_near_nonce(self, request: SignRequest, final: BlockStamp) -> NonceCounts:
        """Refuse a nonce that the chain has used for good, and one that would count as spent for as long as it is unused."""
        try:
            counts = await self._chain.nonce_counts(request.wallet, final=final)
        except ChainNotRead as error:
            raise _unreadable(error) from error
        nonce = request.transaction.nonce
        if nonce < counts.final:
            raise RequestRefused(
                RefusalCode.NONCE_SPENT, f"nonce {nonce} is used: {counts.final} transactions of the key are final on chain"
            )
        if nonce >= counts.latest + NONCES_AHEAD_MAX:
            raise RequestRefused(
                RefusalCode.NONCE_TOO_FAR,
                f"nonce {nonce} is too far ahead: the key has used {counts.latest} on chain, the next {NONCES_AHEAD_MAX} are"
                " signed",
            )
        return counts

    def _require_plan(self, request: SignRequest, wallet: str, execution: SafeExecution | None = None) -> CheckedPlan:
        calls = (request.transaction.call,) if execution is None else execution.calls
        return require_signed_plan(request.plan, calls, wallet, self.policy, self._scope, now=datetime.now(UTC))

    async def _sign_within_limits(
        self,
        movements: Sequence[FundMovement],
        limit: SpendingLimit,
        plan: CheckedPlan | None,
        request: SignRequest,
        final: BlockStamp,
        counts: NonceCounts,
    ) -> SignedTransaction:
        async with self._spending_lock:
            try:
                await update_ledger(self._ledger, request.wallet, self._chain, final=final, final_nonces=counts.final)
                amounts = await self._chain.read(lambda contracts: read_amounts(movements, contracts, at=final))
            except CallReverted as error:
                functions = ", ".join(movement.function for movement in movements)
                raise RequestRefused(
                    RefusalCode.UNKNOWN_CALL, f"the amount that {functions} moves is unknown: {error}"
                ) from error
            except ChainNotRead as error:
                raise _unreadable(error) from error
            self._require_own_nonces(request.wallet, counts)
            entry = _entry(request, amount=RawAmount(sum(amounts)))
            if plan is not None:
                entry = replace(entry, plan=plan.call)
                require_unspent(self._ledger, plan, entry)
            self._require_within(limit, entry)
            # Only the plan's signer stands behind a call of the hot key. A Safe's owners sign what it executes.
            if plan is not None and plan.execution.wallet is PlanWallet.HOT:
                self._require_within(self._limits[plan.signer.address], entry, signed_by=plan.signer.address)
            if self._leases is not None:
                await self._leases.require(request.wallet)
            return await self._sign(request, entry)

    def _require_own_nonces(self, wallet: Address, counts: NonceCounts) -> None:
        """Refuse when the chain shows a transaction of the key that this ledger has not signed, final or not yet."""
        known = self._ledger.next_nonce(wallet)
        if counts.latest > known:
            raise RequestRefused(
                RefusalCode.KEY_USED_ELSEWHERE,
                f"{checksum(wallet)} has used {counts.latest} nonces on chain, this ledger has signed up to nonce"
                f" {known - 1}: the ledger is an old copy, a second signer runs with this key, or someone else has it",
            )

    def _require_within(self, limit: SpendingLimit, entry: LedgerEntry, *, signed_by: Address | None = None) -> None:
        spend = Spend(entry.nonce, entry.amount, None if entry.plan is None else entry.plan.name, entry.signed_at)
        counted = self._ledger.list_counted(entry.wallet, spend, signed_by=signed_by)
        try:
            require_within_limit(limit, counted, spend)
        except LimitExceeded as error:
            whose = "" if signed_by is None else f"plans signed by {checksum(signed_by)}: "
            raise RequestRefused(RefusalCode.LIMIT_EXCEEDED, f"{whose}{error}") from error

    async def _sign(self, request: SignRequest, entry: LedgerEntry | None = None) -> SignedTransaction:
        """Sign and record, if the gas is within the key's day. `entry` says what the transaction moves; None: nothing."""
        entry = entry or _entry(request)
        async with self._wallet_locks[request.wallet]:
            gas_wei = self._ledger.gas_wei_of_day(entry)
            if gas_wei > self.policy.caps.gas_wei_per_day_max:
                raise RequestRefused(
                    RefusalCode.GAS_LIMIT_OF_DAY,
                    f"the key's gas of 24 hours may cost up to {gas_wei} wei with this transaction, the cap is"
                    f" {self.policy.caps.gas_wei_per_day_max}",
                )
            try:
                signed = await sign_transaction(self._keys[request.wallet], request.transaction)
            except KeyUnavailable as error:
                raise RequestRefused(RefusalCode.KEY_UNAVAILABLE, str(error)) from error
            self._ledger.add(signed.hash, entry)
        return signed

    async def _require_votes(self, decision_call: DecisionCall, request: SignRequest, final: BlockStamp) -> None:
        votes = read_votes(request.votes, self._scope)
        now = datetime.now(UTC)
        for vote in votes:
            require_fresh(vote.decision.terms.expires_at, self.policy, now=now, what=f"the vote of {checksum(vote.voter)}")
        voters = [vote.voter for vote in votes]

        async def read_facts(contracts: FundContracts) -> ChainFacts:
            role, manager = OnChainRole.VIP_APPROVER_ROLE.id, contracts.redemption_manager
            batch = ReadBatch()
            found = batch.add(manager.request(decision_call.request_id))
            held = [batch.add(manager.has_role(role, voter)) for voter in voters]
            await contracts.run(batch, at=final)
            return ChainFacts.of(
                found.result, frozenset(voter for voter, holds in zip(voters, held, strict=True) if holds.result)
            )

        try:
            facts = await self._chain.read(read_facts)
        except CallReverted as error:
            raise RequestRefused(
                RefusalCode.UNKNOWN_REQUEST, f"request {decision_call.request_id} is not on chain: {error}"
            ) from error
        except ChainNotRead as error:
            raise _unreadable(error) from error
        require_enough_votes(decision_call, votes, facts, self.policy.approvals)

    async def _final_block(self) -> BlockStamp:
        try:
            return await self._chain.final_block()
        except ChainNotRead as error:
            raise _unreadable(error) from error


def _unreadable(error: ChainNotRead) -> RequestRefused:
    return RequestRefused(RefusalCode.CHECK_UNAVAILABLE, f"the chain cannot be read: {error}")


def _entry(request: SignRequest, *, amount: RawAmount = RawAmount(0)) -> LedgerEntry:
    transaction = request.transaction
    return LedgerEntry(
        wallet=request.wallet,
        nonce=transaction.nonce,
        gas_wei=transaction.gas_limit * transaction.fees.max_fee_wei,
        signed_at=datetime.now(UTC),
        amount=amount,
    )
