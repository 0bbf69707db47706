"""Recover who signed a document that the signer has built itself from the values that were sent."""

from typing import Any, Final

from paimon.domain.kernel.chain import Address
from paimon.gateway.signer.check_request import RefusalCode, RequestRefused
from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed

UNREADABLE: Final = (KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError)
"""What parsing a message of any shape may raise."""


def recover_signer(
    sent: dict[str, Any], signature: bytes, *, expected: dict[str, Any], what: str, malformed: RefusalCode
) -> Address:
    """Return the wallet that signed the expected document, if it is the one that was sent.

    `what` names the document in the refusal, as in "the plan"; `malformed` is the code of one that differs.

    Raises:
        RequestRefused
    """
    if sent.get("domain") != (domain := expected["domain"]):
        raise RequestRefused(
            RefusalCode.DOMAIN_MISMATCH,
            f"{what} is not for chain {domain['chainId']} and contract {domain['verifyingContract']}",
        )
    if sent != expected:
        raise RequestRefused(malformed, f"the document of {what} differs from the one built from its own values")
    try:
        return recover_typed(expected, signature)
    except MalformedSignature as error:
        raise RequestRefused(malformed, str(error)) from error
