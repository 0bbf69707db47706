"""One signing from request to signature: examine the bytes, check votes or limits on the chain's final state, sign, remember.

A movement of money is valued, weighed against the ledger, signed and entered in it under one lock, so that two requests
cannot both take the last of a limit; and it is on disk before the signature leaves this process.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, OnChainRole, hex0x
from paimon.domain.kernel.eip712 import VoteScope
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.signing import SignedTransaction, SignRequest
from paimon.domain.transaction.spending_limit import LimitExceeded, Spend, SpendingLimit, require_within
from paimon.gateway.signer.check_request import Movement, Refusal, Refused, Ruling, SafeExecution, examine
from paimon.gateway.signer.ledger import Ledger, SignedSpend
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.update_ledger import settle_ledger
from paimon.gateway.signer.votes import ChainFacts, read_votes, require_carried
from paimon.infrastructure.blockchain.contracts import CallReverted, FundContracts, Read
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.money_calls import amounts_of
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.keys.encoding import sign_transaction
from paimon.infrastructure.keys.key import Key, KeyUnavailable

log = structlog.get_logger(__name__)

_MANAGER = ContractName.REDEMPTION_MANAGER


class SigningDesk:
    """Policy, keys, a ledger and a view of the chain of its own."""

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
        """`limits` by key or Safe; `ledger` may be None where there are none."""
        self.policy = policy
        self._keys = keys
        self._contracts = contracts
        self._chain = chain
        self._limits = limits
        self._ledger = ledger
        self._spending = asyncio.Lock()
        self._scope = VoteScope(policy.chain_id, policy.contracts.redemption_manager)

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """Raises Refused, after logging why."""
        try:
            key, permitted = examine(request, self.policy, self._contracts.abis)
            match permitted:
                case Movement():
                    signed = await self._sign_within((permitted,), self._limits[request.wallet], request)
                case SafeExecution(safe, movements) if movements:
                    signed = await self._sign_within(movements, self._limits[safe.address], request)
                case Ruling():
                    await self._require_votes(permitted, request)
                    signed = await self._sign(request)
                case _:
                    signed = await self._sign(request)
        except Refused as refused:
            log.warning("signer.refused", wallet=hex0x(request.wallet), code=refused.code, reason=refused.reason)
            raise
        log.info("signer.signed", key=key.name, call=str(permitted), nonce=request.transaction.nonce, hash=hex0x(signed.hash))
        return signed

    async def _sign(self, request: SignRequest) -> SignedTransaction:
        try:
            return await sign_transaction(self._keys[request.wallet], request.transaction)
        except KeyUnavailable as error:
            raise Refused(Refusal.KEY_UNAVAILABLE, str(error)) from error

    async def _sign_within(
        self, movements: Sequence[Movement], limit: SpendingLimit, request: SignRequest
    ) -> SignedTransaction:
        assert self._ledger is not None  # noqa: S101 — what may move money has limits, and limits have a ledger
        async with self._spending:
            final = await self._final_block()
            try:
                await settle_ledger(self._ledger, request.wallet, self._contracts.rpc, final=final)
                amount = RawAmount(sum(await amounts_of(movements, self._contracts, at=final)))
            except CallReverted as error:
                told = ", ".join(each.function for each in movements)
                raise Refused(Refusal.UNKNOWN_CALL, f"what {told} moves cannot be told: {error}") from error
            except (RpcUnavailable, RpcError) as error:
                raise Refused(Refusal.CANNOT_CHECK, f"the chain cannot be read: {error}") from error
            spend = Spend(request.transaction.nonce, amount, request.plan, datetime.now(UTC))
            try:
                require_within(limit, self._ledger.that_count_beside(request.wallet, spend), spend)
            except LimitExceeded as error:
                raise Refused(Refusal.LIMIT_EXCEEDED, str(error)) from error
            signed = await self._sign(request)
            self._ledger.add(request.wallet, SignedSpend(signed.hash, spend))
        return signed

    async def _require_votes(self, ruling: Ruling, request: SignRequest) -> None:
        votes = read_votes(request.votes, self._scope)
        voters = [vote.voter for vote in votes]
        role = OnChainRole.VIP_APPROVER_ROLE.id
        final = await self._final_block()
        try:
            found, *held = await self._contracts.read(
                [
                    Read(_MANAGER, "getRedemptionRequest", (ruling.request_id,)),
                    *(Read(_MANAGER, "hasRole", (role, voter)) for voter in voters),
                ],
                at=final,
            )
        except CallReverted as error:
            raise Refused(Refusal.UNKNOWN_REQUEST, f"request {ruling.request_id} is not on chain: {error}") from error
        except (RpcUnavailable, RpcError) as error:
            raise Refused(Refusal.CANNOT_CHECK, f"the chain cannot be read: {error}") from error
        holders = frozenset(voter for voter, holds in zip(voters, held, strict=True) if holds)
        require_carried(ruling, votes, ChainFacts.of(found, holders), self.policy.approvals)

    async def _final_block(self) -> BlockStamp:
        try:
            return await self._chain.final_block(self._contracts.rpc)
        except (RpcUnavailable, RpcError) as error:
            raise Refused(Refusal.CANNOT_CHECK, f"the chain cannot be read: {error}") from error
