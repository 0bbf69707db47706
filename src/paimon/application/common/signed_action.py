"""The one mechanism by which a signed action is accepted: votes, operator actions, operator decisions and plans.

propose   a use case says what would happen now, who may do it, and why it is impossible now, if it is (`ProposedAction`)
gateway   `POST /signed-actions` gives the document with fresh terms (`SigningRules.new_terms`), a wallet signs it
verify    the use case builds the document again from what will happen, and has the signature over it verified here
store     `use_nonce` keeps the evidence in the transaction of the effect: enough to check it without this system
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from paimon.application.common.contract_wallets import ContractWallets
from paimon.application.common.signing_rules import SignatureEvidence, SigningRules
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope, require_valid_expiry
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.user.roles import Permission
from paimon.errors import Conflict, DetailCode, Forbidden
from paimon.infrastructure.blockchain.contracts.contract_wallet import is_contract_wallet
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.keys.signatures import (
    MalformedSignature,
    parse_hex_signature,
    parse_signature,
    recover_typed,
    typed_digest,
)


class NonceUsed(Conflict):
    """The nonce of this signed action was used before; each nonce works once."""

    field = "nonce"


class SignerMismatch(Forbidden):
    """The signature was made by another wallet than the signed-in one, or over another document."""


class KeySignatureRequired(Forbidden):
    """A contract wallet signs no vote, no plan and no policy, nor what else is verified later by the key that signed it."""

    field = "signature"
    code = DetailCode.KEY_SIGNATURE_REQUIRED


class ActionChanged(Conflict):
    """What would happen has changed since it was signed; fetch the document again and sign it anew."""


@dataclass(frozen=True, slots=True)
class SignedAction:
    """What a user sent of a signed document: its terms and the signature. The rest is built again from what will happen."""

    terms: SignatureTerms
    signature: str


class SignableContent(Protocol):
    """Exactly what will happen, as a person signs it."""

    @property
    def action(self) -> ActionName: ...
    @property
    def resource(self) -> str: ...
    @property
    def statement(self) -> str: ...
    def document(self, reason: str, terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ProposedAction:
    """An action as it would happen now. `rejection` is the error that it would end with.

    `needs_key`: the signature is verified again later, where no contract can be asked, so a contract wallet's does not count.
    """

    content: SignableContent
    permission: Permission
    rejection: Conflict | Forbidden | None = None
    needs_key: bool = False


def verify_signed_action(
    signed: SignedAction,
    document: dict[str, Any],
    *,
    signer: Address,
    now: datetime,
    rules: SigningRules,
    nonce_used: bool,
) -> SignatureEvidence:
    """Return the evidence to store when the signed-in wallet's key signed exactly this document, in time and once.

    Raises, in the order of the checks:
        MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch.
    """
    signature = parse_signature(signed.signature)
    _require_fresh(signed, now=now, rules=rules, nonce_used=nonce_used)
    if recover_typed(document, signature) != signer:
        raise _mismatch(document, signer)
    return SignatureEvidence(signer, signed.terms, document, signature)


@asynccontextmanager
async def contract_wallets_refused(signer: Address, rpc: Rpc) -> AsyncIterator[None]:
    """Say plainly to a contract wallet why its signature over a vote or a plan does not count.

    Wrap it around the transaction of `verify_signed_action`, which is over when the chain is asked.

    Raises:
        KeySignatureRequired: the signature is no key's, and a contract is at the signer's address.
    """
    try:
        yield
    except (MalformedSignature, SignerMismatch) as error:
        try:
            is_contract = await is_contract_wallet(signer, rpc)
        except (RpcUnavailable, RpcError):
            is_contract = False  # the error as it is says that the signature is not the signer's
        if is_contract:
            raise KeySignatureRequired from error
        raise


async def verify_with_contract_wallets(
    signed: SignedAction,
    document: dict[str, Any],
    *,
    signer: Address,
    now: datetime,
    rules: SigningRules,
    nonce_used: bool,
    wallets: ContractWallets,
) -> SignatureEvidence:
    """Verify as `verify_signed_action`, and ask the contract at the signer's address where no key of it signed (EIP-1271).

    Raises, in the order of the checks:
        MalformedSignature (no hexadecimal text), InvalidExpiry, NonceUsed, SignerMismatch, MalformedSignature (of a key),
        WalletNotRead.
    """
    signature = parse_hex_signature(signed.signature)
    _require_fresh(signed, now=now, rules=rules, nonce_used=nonce_used)
    try:
        return verify_signed_action(signed, document, signer=signer, now=now, rules=rules, nonce_used=nonce_used)
    except (MalformedSignature, SignerMismatch):
        accepted_at = await wallets.find_accepting_block(signer, typed_digest(document), signature)
        if accepted_at is None:
            raise
    return SignatureEvidence(signer, signed.terms, document, signature, verified_at_block=accepted_at.number)


def _require_fresh(signed: SignedAction, *, now: datetime, rules: SigningRules, nonce_used: bool) -> None:
    require_valid_expiry(signed.terms.expires_at, now=now, ttl_seconds_max=rules.ttl_seconds_max)
    if nonce_used:
        raise NonceUsed


def _mismatch(document: dict[str, Any], signer: Address) -> SignerMismatch:
    return SignerMismatch(
        f"the signature is not {checksum(signer)}'s over this {document['primaryType']}; what was signed must agree in"
        f" {', '.join(document['message'])}"
    )
