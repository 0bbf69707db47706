"""Sign one request: check the bytes, check votes or limits against the chain's final state, sign, and record the spend.

A movement of money is valued, compared with the ledger, signed and entered in the ledger under one lock, so that two requests
cannot both take the rest of a limit. The entry is on disk before the signature leaves this process.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from paimon.domain.kernel.chain import Address, BlockStamp, OnChainRole, hex0x
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.signing import SignedTransaction, SignRequest
from paimon.domain.transaction.spending_limit import LimitExceeded, Spend, SpendingLimit, require_within_limit
from paimon.gateway.signer.check_request import (
    DecisionCall,
    FundMovement,
    RefusalCode,
    RequestRefused,
    SafeExecution,
    check_request,
)
from paimon.gateway.signer.ledger import Ledger, SignedSpend
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.update_ledger import update_ledger
from paimon.gateway.signer.votes import ChainFacts, read_votes, require_enough_votes
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import read_amounts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted, ReadBatch
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.keys.encoding import sign_transaction
from paimon.infrastructure.keys.key import Key, KeyUnavailable

log = structlog.get_logger(__name__)


class SigningService:
    """Sign requests by a policy, with the signer's own keys, spend ledger and RPC endpoint."""

    def __init__(
        self,
        policy: SignerPolicy,
        keys: Mapping[Address, Key],
        contracts: FundContracts,
        chain: ChainAdapter,
        *,
        limits: Mapping[Address, SpendingLimit],
        ledger: Ledger | None,
    ) -> None:
        """`limits` is by the address of a key or Safe; `ledger` may be None when there are no limits."""
        self.policy = policy
        self._keys = keys
        self._contracts = contracts
        self._chain = chain
        self._limits = limits
        self._ledger = ledger
        self._spending_lock = asyncio.Lock()
        self._scope = SigningScope(policy.chain_id, policy.contracts.redemption_manager)

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """Check the request and sign its transaction; a refusal is logged.

        Raises:
            RequestRefused
        """
        try:
            key, permitted_call = check_request(request, self.policy, self._contracts.abis)
            match permitted_call:
                case FundMovement():
                    signed = await self._sign_within_limit((permitted_call,), self._limits[request.wallet], request)
                case SafeExecution(safe, movements) if movements:
                    signed = await self._sign_within_limit(movements, self._limits[safe.address], request)
                case DecisionCall():
                    await self._require_votes(permitted_call, request)
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

    async def _sign(self, request: SignRequest) -> SignedTransaction:
        try:
            return await sign_transaction(self._keys[request.wallet], request.transaction)
        except KeyUnavailable as error:
            raise RequestRefused(RefusalCode.KEY_UNAVAILABLE, str(error)) from error

    async def _sign_within_limit(
        self, movements: Sequence[FundMovement], limit: SpendingLimit, request: SignRequest
    ) -> SignedTransaction:
        assert self._ledger is not None  # noqa: S101 — a call that moves money has limits, and limits have a ledger
        async with self._spending_lock:
            final = await self._final_block()
            try:
                await update_ledger(self._ledger, request.wallet, self._contracts.rpc, final=final)
                amount = RawAmount(sum(await read_amounts(movements, self._contracts, at=final)))
            except CallReverted as error:
                functions = ", ".join(movement.function for movement in movements)
                raise RequestRefused(
                    RefusalCode.UNKNOWN_CALL, f"the amount that {functions} moves is unknown: {error}"
                ) from error
            except (RpcUnavailable, RpcError) as error:
                raise RequestRefused(RefusalCode.CHECK_UNAVAILABLE, f"the chain cannot be read: {error}") from error
            spend = Spend(request.transaction.nonce, amount, request.plan, datetime.now(UTC))
            try:
                require_within_limit(limit, self._ledger.list_counted(request.wallet, spend), spend)
            except LimitExceeded as error:
                raise RequestRefused(RefusalCode.LIMIT_EXCEEDED, str(error)) from error
            signed = await self._sign(request)
            self._ledger.add(request.wallet, SignedSpend(signed.hash, spend))
        return signed

    async def _require_votes(self, decision_call: DecisionCall, request: SignRequest) -> None:
        votes = read_votes(request.votes, self._scope)
        voters = [vote.voter for vote in votes]
        role, manager = OnChainRole.VIP_APPROVER_ROLE.id, self._contracts.redemption_manager
        batch = ReadBatch()
        found = batch.add(manager.request(decision_call.request_id))
        held = [batch.add(manager.has_role(role, voter)) for voter in voters]
        final = await self._final_block()
        try:
            await self._contracts.run(batch, at=final)
        except CallReverted as error:
            raise RequestRefused(
                RefusalCode.UNKNOWN_REQUEST, f"request {decision_call.request_id} is not on chain: {error}"
            ) from error
        except (RpcUnavailable, RpcError) as error:
            raise RequestRefused(RefusalCode.CHECK_UNAVAILABLE, f"the chain cannot be read: {error}") from error
        holders = frozenset(voter for voter, holds in zip(voters, held, strict=True) if holds.result)
        require_enough_votes(decision_call, votes, ChainFacts.of(found.result, holders), self.policy.approvals)

    async def _final_block(self) -> BlockStamp:
        try:
            return await self._chain.final_block(self._contracts.rpc)
        except (RpcUnavailable, RpcError) as error:
            raise RequestRefused(RefusalCode.CHECK_UNAVAILABLE, f"the chain cannot be read: {error}") from error
