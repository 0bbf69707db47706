"""Accept a user's signed action: the one order of checks for every action that is signed as a `SignedAction`.

1. the signature: its form, its expiry, its nonce, and its signer over exactly what would happen (common/signed_action.py)
2. the user has the permission
3. the action is possible now

The use case names what would happen before these checks. It records the evidence after them, in the transaction of the effect
(`record`). What the effect depends on may have changed between: then nothing happens.
"""

from dataclasses import dataclass

from paimon.application.common.contract_wallets import ContractWallets
from paimon.application.common.signed_action import (
    ActionChanged,
    KeySignatureRequired,
    ProposedAction,
    SignableContent,
    SignedAction,
    verify_with_contract_wallets,
)
from paimon.application.common.signing_rules import SignatureEvidence, SigningRules
from paimon.application.common.store import is_nonce_used, use_nonce
from paimon.application.identity.permissions import require_permission
from paimon.application.identity.store import list_chain_roles
from paimon.domain.user.roles import User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession


@dataclass(frozen=True, slots=True)
class SigningContext:
    """What use cases need to accept signed actions."""

    database: Database
    rules: SigningRules
    wallets: ContractWallets


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A user's signature over an action, with the reason that the document has."""

    user: User
    reason: str
    signed: SignedAction


@dataclass(frozen=True, slots=True)
class AcceptedAction:
    """An action whose signature counts, and that is not recorded yet."""

    content: SignableContent
    evidence: SignatureEvidence

    async def record(self, session: WriteSession, now: ProposedAction | None = None) -> None:
        """Use the nonce up, and keep what was signed. `now` is the action as this transaction sees it.

        Raises:
            ActionChanged: it is not what was signed.
            NonceUsed: another transaction used the nonce since the check.
        """
        if now is not None and now.content != self.content:
            raise ActionChanged
        if now is not None and now.rejection is not None:
            raise now.rejection
        await use_nonce(session, self.evidence, action=self.content.action, resource=self.content.resource)


async def accept_action(request: SignedRequest, proposed: ProposedAction, context: SigningContext) -> AcceptedAction:
    """Return the accepted action. No transaction is open while a contract wallet is asked.

    Raises:
        MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, WalletNotRead, NotPermitted, the action's own rejection,
        and KeySignatureRequired.
    """
    terms = request.signed.terms
    async with context.database.write() as session:  # the primary: a replica may not have a nonce yet
        now, nonce_used = await database_now(session), await is_nonce_used(session, terms.nonce)
        held = await list_chain_roles(session, request.user.address)
    evidence = await verify_with_contract_wallets(
        request.signed,
        proposed.content.document(request.reason, terms, context.rules.scope),
        signer=request.user.address,
        now=now,
        rules=context.rules,
        nonce_used=nonce_used,
        wallets=context.wallets,
    )
    require_permission(request.user, proposed.permission, held)
    if proposed.rejection is not None:
        raise proposed.rejection
    if proposed.needs_key and evidence.verified_at_block is not None:
        raise KeySignatureRequired
    return AcceptedAction(proposed.content, evidence)
