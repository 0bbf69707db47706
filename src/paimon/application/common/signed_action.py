"""The one mechanism by which a signed action is accepted: votes, operator actions, operator decisions and plans.

gateway   fetches the document with fresh terms (`SigningRules.new_terms`), a wallet signs it
use case  builds the document again from what will happen, and has the signature over it verified here
store     keeps the evidence beside the action: enough to check it without this system
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paimon.application.common.signing_rules import SignatureEvidence, SigningRules
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SignatureTerms, require_valid_expiry
from paimon.errors import Conflict, Forbidden
from paimon.infrastructure.keys.signatures import parse_signature, recover_typed


class NonceUsed(Conflict):
    """The nonce of this signed action was used before; each nonce works once."""

    field = "nonce"


class SignerMismatch(Forbidden):
    """The signature was made by another wallet than the signed-in one, or over another document."""


@dataclass(frozen=True, slots=True)
class SignedAction:
    """What a user sent of a signed document: its terms and the signature. The rest is built again from what will happen."""

    terms: SignatureTerms
    signature: str


def verify_signed_action(
    signed: SignedAction,
    document: dict[str, Any],
    *,
    signer: Address,
    now: datetime,
    rules: SigningRules,
    nonce_used: bool,
) -> SignatureEvidence:
    """Return the evidence to store when the signed-in wallet signed exactly this document, in time and for the first time.

    Raises, in the order of the checks:
        MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch.
    """
    signature = parse_signature(signed.signature)
    require_valid_expiry(signed.terms.expires_at, now=now, ttl_seconds_max=rules.ttl_seconds_max)
    if nonce_used:
        raise NonceUsed
    if recover_typed(document, signature) != signer:
        raise SignerMismatch(
            f"the signature is not {checksum(signer)}'s over this {document['primaryType']}; what was signed must agree in"
            f" {', '.join(document['message'])}"
        )
    return SignatureEvidence(signer, signed.terms, document, signature)
