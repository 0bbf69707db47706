"""One signing from request to signature: examine the bytes, check the votes on the chain's final state, sign, log the fact."""

from collections.abc import Mapping

import structlog

from paimon.domain.chain import Address, ContractName, OnChainRole, hex0x
from paimon.domain.signing import SignedTransaction, SignRequest
from paimon.domain.vote import VoteScope
from paimon.gateway.signer.check import Refusal, Refused, Ruling, examine
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.votes import ChainFacts, read_votes, require_carried
from paimon.infrastructure.blockchain.contracts import CallReverted, FundContracts, Read
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.keys.encoding import sign_transaction
from paimon.infrastructure.keys.key import Key, KeyUnavailable

log = structlog.get_logger(__name__)

_MANAGER = ContractName.REDEMPTION_MANAGER


class SigningDesk:
    """Policy, keys and a view of the chain of its own."""

    def __init__(
        self, policy: SignerPolicy, keys: Mapping[Address, Key], contracts: FundContracts, chain: ChainAdapter
    ) -> None:
        self.policy = policy
        self._keys = keys
        self._contracts = contracts
        self._chain = chain
        self._scope = VoteScope(policy.chain_id, policy.contracts.redemption_manager)

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """Raises Refused, after logging why."""
        try:
            key, permitted = examine(request, self.policy, self._contracts.abis[_MANAGER])
            if isinstance(permitted, Ruling):
                await self._require_votes(permitted, request)
            signed = await self._sign(request)
        except Refused as refused:
            log.warning("signer.refused", wallet=hex0x(request.wallet), code=refused.code, reason=refused.reason)
            raise
        log.info("signer.signed", key=key.name, call=repr(permitted), nonce=request.transaction.nonce, hash=hex0x(signed.hash))
        return signed

    async def _sign(self, request: SignRequest) -> SignedTransaction:
        try:
            return await sign_transaction(self._keys[request.wallet], request.transaction)
        except KeyUnavailable as error:
            raise Refused(Refusal.KEY_UNAVAILABLE, str(error)) from error

    async def _require_votes(self, ruling: Ruling, request: SignRequest) -> None:
        votes = read_votes(request.votes, self._scope)
        voters = [vote.voter for vote in votes]
        role = OnChainRole.VIP_APPROVER_ROLE.id
        try:
            final = await self._chain.final_block(self._contracts.rpc)
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
