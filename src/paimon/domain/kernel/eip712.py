"""EIP-712 typed data: the documents people sign, and how long a signature is accepted. Source: EIP-712.

Every signed action is a document with the fund's domain and one primary type; its last two fields are a nonce and an
expiry. The application and the signer process build it here, each from its own facts: a signature counts only over the
document that the checking side built itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x
from paimon.errors import InvalidRequest

DOMAIN_NAME: Final = "Paimon Prime Fund"
DOMAIN_VERSION: Final = "1"
_DOMAIN_FIELDS: Final = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
_TERMS_FIELDS: Final = {"nonce": "bytes32", "expiresAt": "uint256"}


class InvalidExpiry(InvalidRequest):
    """The signature's expiry has passed, or is further ahead than allowed."""

    field = "expiresAt"


@dataclass(frozen=True, slots=True)
class SigningScope:
    """The chain and the RedemptionManager a signature counts for."""

    chain_id: int
    redemption_manager: Address


@dataclass(frozen=True, slots=True)
class SignatureTerms:
    """The two fields every document ends with: a nonce that counts once, and the time until which it is accepted."""

    nonce: Hash32
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A primary type and its fields, by name and Solidity type, without the two of `SignatureTerms`.

    The order of the fields is part of the signed hash. `structs` holds the types of fields that are lists of a struct.
    """

    primary_type: str
    fields: Mapping[str, str]
    structs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def signed_fields(self) -> dict[str, str]:
        """Return all fields that a signature covers, those of `SignatureTerms` too, by name and Solidity type."""
        return {**self.fields, **_TERMS_FIELDS}

    def build(self, values: Mapping[str, Any], terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]:
        """Build the document a wallet shows and signs, in the JSON form of `eth_signTypedData_v4`.

        Raises:
            ValueError: the values are not those of this type's fields.
        """
        if values.keys() != self.fields.keys():
            raise ValueError(f"{self.primary_type} has the fields {', '.join(self.fields)}, got {', '.join(values)}")
        types = {"EIP712Domain": _DOMAIN_FIELDS, **self.structs, self.primary_type: self.signed_fields}
        return {
            "types": {
                name: [{"name": member, "type": kind} for member, kind in members.items()] for name, members in types.items()
            },
            "primaryType": self.primary_type,
            "domain": {
                "name": DOMAIN_NAME,
                "version": DOMAIN_VERSION,
                "chainId": scope.chain_id,
                "verifyingContract": checksum(scope.redemption_manager),
            },
            "message": {
                **{name: self._json_value(kind, values[name]) for name, kind in self.fields.items()},
                "nonce": hex0x(terms.nonce),
                "expiresAt": str(int(terms.expires_at.timestamp())),
            },
        }

    def _json_value(self, kind: str, value: Any) -> Any:
        """Integers as decimal strings, since JavaScript's numbers end at 2⁵³; bytes as 0x-hex."""
        match kind:
            case "string" | "uint256":
                return str(value)
            case "address":
                return checksum(value)
            case "bytes" | "bytes32":
                return hex0x(value)
        struct = self.structs[kind.removesuffix("[]")]
        return [{name: self._json_value(inner, item[name]) for name, inner in struct.items()} for item in value]


def encode_type(primary_type: str, fields: Mapping[str, str], structs: Mapping[str, Mapping[str, str]]) -> str:
    """Return EIP-712's `encodeType`: the primary type with its fields, then the structs by name. Its hash names the type."""
    types = [(primary_type, fields), *sorted(structs.items())]
    return "".join(f"{name}({','.join(f'{kind} {member}' for member, kind in members.items())})" for name, members in types)


def require_valid_expiry(expires_at: datetime, *, now: datetime, ttl_seconds_max: int) -> None:
    """Refuse an expiry in the past, and one so far ahead that a signature could be kept for later.

    The expiry binds the acceptance of a signature only: what was accepted in time stays valid.

    Raises:
        InvalidExpiry
    """
    if expires_at <= now:
        raise InvalidExpiry(
            f"the signature expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}; fetch the document again and sign it anew"
        )
    if expires_at > now + timedelta(seconds=ttl_seconds_max):
        raise InvalidExpiry(f"a signature may expire at most {ttl_seconds_max} seconds ahead")
