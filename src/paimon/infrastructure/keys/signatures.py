"""Recover the wallet behind an EIP-191 or EIP-712 signature.

What a person sends is brought into the one form of a signature (`normalized_signature`). A signature in another form recovers
to no wallet, so that what is stored and what the signer reads has no second copy.
"""

from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.signature import SIGNATURE_BYTES, normalized_signature
from paimon.errors import InvalidRequest

_RECOVERY_VALUES: Final = frozenset({27, 28})
"""The values of v in a normalised signature. The library also reads EIP-155 values: one signature would have many forms."""


class MalformedSignature(InvalidRequest, ValueError):
    """The text is not a signature."""

    field = "signature"


def parse_hex_signature(text: str) -> bytes:
    """Parse the bytes of a signature from 0x-hex. Raises MalformedSignature for any other text."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise MalformedSignature("a signature is 0x followed by 130 hexadecimal digits") from None


def parse_signature(text: str) -> bytes:
    """Parse 65 bytes r ‖ s ‖ v from 0x-hex, and return them in the one form that is kept.

    Raises:
        MalformedSignature: for any other text.
    """
    signature = parse_hex_signature(text)
    if len(signature) != SIGNATURE_BYTES:
        raise MalformedSignature(f"a signature is {SIGNATURE_BYTES} bytes (0x and 130 digits), this one has {len(signature)}")
    return normalized_signature(signature)


def typed_digest(document: dict[str, Any]) -> Hash32:
    """Return the digest that a wallet signs for this EIP-712 document."""
    message = encode_typed_data(full_message=document)
    return Hash32(keccak(b"\x19" + message.version + message.header + message.body))


def text_digest(message: str) -> Hash32:
    """Return the digest that a wallet signs for this text with personal_sign (EIP-191)."""
    encoded = encode_defunct(text=message)
    return Hash32(keccak(b"\x19" + encoded.version + encoded.header + encoded.body))


def recover_typed(document: dict[str, Any], signature: bytes) -> Address:
    """Return the wallet that signed this EIP-712 document.

    Raises:
        MalformedSignature
    """
    return _recover(encode_typed_data(full_message=document), signature)


def recover_text(message: str, signature: bytes) -> Address:
    """Return the wallet that signed this text with personal_sign (EIP-191).

    Raises:
        MalformedSignature
    """
    return _recover(encode_defunct(text=message), signature)


def recover_bytes(message: bytes, signature: bytes) -> Address:
    """Return the wallet that signed these bytes with eth_sign or personal_sign (EIP-191).

    Raises:
        MalformedSignature
    """
    return _recover(encode_defunct(primitive=message), signature)


def _recover(message: Any, signature: bytes) -> Address:
    if len(signature) != SIGNATURE_BYTES or signature[-1] not in _RECOVERY_VALUES:
        raise MalformedSignature(f"a signature is {SIGNATURE_BYTES} bytes, the last of them 27 or 28 (or 0 or 1)")
    if normalized_signature(signature) != signature:
        raise MalformedSignature("s is in the upper half of the curve order: a signature counts with its lower s only (EIP-2)")
    try:
        return Address(to_canonical_address(Account.recover_message(message, signature=signature)))
    except (BadSignature, ValidationError, ValueError) as error:
        raise MalformedSignature("the signature belongs to no wallet: r, s or v is out of range") from error
