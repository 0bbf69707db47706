"""How a wallet shows each EIP-712 document that a person signs: an intent, and a label and a format of every field.

The table stands beside the types that make the documents. It does not load when a document has a field that the table lacks,
or the reverse, or when a format does not fit a field's type: a new field cannot be forgotten. Nothing is hidden without a
reason, and no sentence stands for the fields (`interpolatedIntent`): a wallet that shows it may leave the fields out.

The lengths are what Ledger's devices show without cutting it off. Source: ERC-7730, version 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from paimon.domain.approval.vote import PLAN_DECISION, REDEMPTION_DECISION
from paimon.domain.kernel.chain import ZERO_ADDRESS, checksum
from paimon.domain.kernel.eip712 import DocumentType, encode_type
from paimon.domain.kernel.signed_action import SIGNED_ACTION
from paimon.domain.transaction.plan import PLAN_EXECUTION
from paimon.domain.transaction.safe_transaction import SAFE_TRANSACTION, SAFE_TRANSACTION_FIELDS, SafeOperation
from paimon.domain.user.grants import GRANT, GRANT_WITH_EXCEPTIONS

INTENT_CHARACTERS_MAX: Final = 30
LABEL_CHARACTERS_MAX: Final = 20


class FieldFormat(Enum):
    """How a value is shown, by its name in ERC-7730. No text of ours: `amount` is an amount of the native coin there."""

    RAW = "raw"
    ADDRESS_NAME = "addressName"
    TOKEN_AMOUNT = "tokenAmount"  # noqa: S105 - an amount of a token, no secret
    NATIVE_AMOUNT = "amount"
    DATE = "date"
    CALLDATA = "calldata"
    ENUM = "enum"


_FORMATS_OF_TYPES: Final[Mapping[str, frozenset[FieldFormat]]] = {
    "string": frozenset({FieldFormat.RAW}),
    "address": frozenset({FieldFormat.RAW, FieldFormat.ADDRESS_NAME}),
    "uint256": frozenset({FieldFormat.RAW, FieldFormat.TOKEN_AMOUNT, FieldFormat.NATIVE_AMOUNT, FieldFormat.DATE}),
    "uint8": frozenset({FieldFormat.RAW, FieldFormat.ENUM}),
    "bytes": frozenset({FieldFormat.RAW, FieldFormat.CALLDATA}),
    "bytes32": frozenset({FieldFormat.RAW}),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A field that is always shown, but for one value that says nothing (`unless`)."""

    label: str
    format: FieldFormat = FieldFormat.RAW
    params: Mapping[str, str] = field(default_factory=dict)
    unless: str | int | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """A field that is never shown, and why a person loses nothing by that."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list of structs: the fields of its first one, then those of the next."""

    label: str
    fields: Mapping[str, Shown]


DisplayedField = Shown | Hidden | ShownList


@dataclass(frozen=True, slots=True)
class DisplayedDocument:
    """A document as a wallet shows it, its fields in the order in which a person reads them."""

    primary_type: str
    types: Mapping[str, str]
    structs: Mapping[str, Mapping[str, str]]
    intent: str
    fields: Mapping[str, DisplayedField]

    def __post_init__(self) -> None:
        """Refuse a table that is not the document's.

        Raises:
            ValueError
        """
        _require_same_fields(self.primary_type, self.types, self.fields)
        _require_short(self.intent, INTENT_CHARACTERS_MAX)
        for name, shown in self.fields.items():
            kind = self.types[name]
            _require_short(shown.label, LABEL_CHARACTERS_MAX)
            if isinstance(shown, ShownList):
                struct = self.structs.get(kind.removesuffix("[]"), {})
                _require_same_fields(f"{self.primary_type}.{name}", struct, shown.fields)
                for member, inner in shown.fields.items():
                    _require_short(inner.label, LABEL_CHARACTERS_MAX)
                    _require_fit(f"{self.primary_type}.{name}.{member}", struct[member], inner)
            elif isinstance(shown, Shown):
                _require_fit(f"{self.primary_type}.{name}", kind, shown)

    @property
    def encoded_type(self) -> str:
        """Return the text by which a wallet knows the type: another field makes another one."""
        return encode_type(self.primary_type, self.types, self.structs)


def _require_same_fields(name: str, types: Mapping[str, str], fields: Mapping[str, DisplayedField]) -> None:
    if types.keys() != fields.keys():
        raise ValueError(f"{name} has the fields {', '.join(types)}; the table shows {', '.join(fields)}")


def _require_short(text: str, characters_max: int) -> None:
    if not text or len(text) > characters_max or not text.isascii():
        raise ValueError(f"{text!r} must be 1 to {characters_max} characters of ASCII, which every device shows")


def _require_fit(name: str, kind: str, shown: Shown) -> None:
    if shown.format not in _FORMATS_OF_TYPES.get(kind, frozenset()):
        raise ValueError(f"{name} is a {kind}, which {shown.format.value} does not show")


_TERMS: Final[Mapping[str, DisplayedField]] = {
    "expiresAt": Shown("Signature expires", FieldFormat.DATE),
    "nonce": Hidden("Nonce", "32 random bytes, by which the signature counts once: there is nothing to compare them with"),
}


def _ours(document: DocumentType, intent: str, fields: Mapping[str, DisplayedField]) -> DisplayedDocument:
    return DisplayedDocument(document.primary_type, document.signed_fields, document.structs, intent, {**fields, **_TERMS})


_DECISION_END: Final[Mapping[str, DisplayedField]] = {
    "reason": Shown("Reason"),
    "ticketId": Shown("Ticket"),
    "policyVersion": Shown("Policy version"),
}

_GRANT: Final[Mapping[str, DisplayedField]] = {
    "user": Shown("User", FieldFormat.ADDRESS_NAME),
    "role": Shown("Role"),
    "name": Shown("Name"),
}

_GRANT_END: Final[Mapping[str, DisplayedField]] = {
    "sequence": Shown("Number of the grant"),
    "previous": Shown("Grant before it"),
}

FUND_DOCUMENTS: Final = (
    _ours(
        SIGNED_ACTION,
        "Take an action in the fund",
        {
            "action": Shown("Action"),
            "resource": Shown("Resource"),
            "statement": Shown("What will happen"),
            "amount": Shown("Amount", FieldFormat.TOKEN_AMOUNT),
            "reason": Shown("Reason"),
            "effectHash": Shown("Hash of the effect"),
        },
    ),
    _ours(
        REDEMPTION_DECISION,
        "Decide on a redemption",
        {
            "verdict": Shown("Verdict"),
            "requestId": Shown("Redemption request"),
            "grossAmount": Shown("Amount", FieldFormat.TOKEN_AMOUNT),
            "receiver": Shown("Receiver", FieldFormat.ADDRESS_NAME),
            "owner": Shown("Owner", FieldFormat.ADDRESS_NAME),
            **_DECISION_END,
        },
    ),
    _ours(
        PLAN_DECISION,
        "Reject or cancel a plan",
        {
            "verdict": Shown("Verdict"),
            "plan": Shown("Plan"),
            "amount": Shown("Amount", FieldFormat.TOKEN_AMOUNT),
            "safeTxHash": Shown("Safe transaction"),
            **_DECISION_END,
        },
    ),
    _ours(
        PLAN_EXECUTION,
        "Submit a plan of calls",
        {
            "action": Shown("Action"),
            "plan": Shown("Plan"),
            "wallet": Shown("Wallet"),
            "amount": Shown("Amount", FieldFormat.TOKEN_AMOUNT),
            "calls": ShownList(
                "Calls",
                {
                    "description": Shown("What it does"),
                    "to": Shown("Contract", FieldFormat.ADDRESS_NAME),
                    "data": Shown("Call", FieldFormat.CALLDATA, {"calleePath": "to"}),
                },
            ),
            "reason": Shown("Reason"),
            "key": Shown("Key of the plan"),
        },
    ),
    _ours(GRANT, "Change a user's role", {**_GRANT, **_GRANT_END}),
    _ours(
        GRANT_WITH_EXCEPTIONS,
        "Change a user's rights",
        {**_GRANT, "granted": Shown("Rights added"), "denied": Shown("Rights taken"), **_GRANT_END},
    ),
)
"""The documents of the fund's own domain, whose verifying contract is the RedemptionManager."""

SAFE_OPERATIONS: Final[Mapping[SafeOperation, str]] = {
    SafeOperation.CALL: "Call",
    SafeOperation.DELEGATECALL: "Delegate call",
}

SAFE_DOCUMENT: Final = DisplayedDocument(
    SAFE_TRANSACTION,
    SAFE_TRANSACTION_FIELDS,
    {},
    "Run a Safe transaction",
    {
        "operation": Shown("Operation", FieldFormat.ENUM, {"$ref": "$.metadata.enums.operation"}),
        "to": Shown("Contract", FieldFormat.ADDRESS_NAME),
        "value": Shown("Native amount", FieldFormat.NATIVE_AMOUNT),
        "data": Shown("Call", FieldFormat.CALLDATA, {"calleePath": "to", "amountPath": "value", "spenderPath": "@.to"}),
        "nonce": Shown("Nonce of the Safe"),
        "safeTxGas": Shown("Gas of the call", unless=0),
        "baseGas": Shown("Base gas paid for", unless=0),
        "gasPrice": Shown("Gas price paid", unless=0),
        "gasToken": Shown("Gas paid in", FieldFormat.ADDRESS_NAME, unless=checksum(ZERO_ADDRESS)),
        "refundReceiver": Shown("Gas paid to", FieldFormat.ADDRESS_NAME, unless=checksum(ZERO_ADDRESS)),
    },
)
"""What an owner of a Safe signs. This system pays no executor: those fields are zero, and shown when they are not."""
