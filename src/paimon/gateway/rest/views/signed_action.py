"""JSON shapes that all signed requests share: the signature, and the parts of the signed message the caller chose."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from paimon.application.common.signed_action import SignedAction
from paimon.application.identity.accept_action import SignedRequest
from paimon.application.signed_actions.propose import ActionDocument
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.user.roles import User
from paimon.gateway.rest.schema import ApiModel, HashText, Time
from paimon.gateway.rest.validation_messages import ONE_LINE

SIGNATURE_CHARS_MAX: Final = 1_000

_SECONDS_DIGITS_MAX: Final = 10


def _unix_seconds(value: object) -> datetime:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= _SECONDS_DIGITS_MAX):
        raise ValueError("an expiry is in Unix seconds, as `message.expiresAt` of the typed data has it")
    return datetime.fromtimestamp(int(text), UTC)


UnixSeconds = Annotated[
    datetime,
    BeforeValidator(_unix_seconds),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,10}$"}),
]

Reason = Annotated[str, StringConstraints(max_length=500, pattern=ONE_LINE)]
"""One line of text: wallets show it, and a rejection writes it to the chain."""

TypedData = dict[str, Any]
"""An EIP-712 document in the JSON form of eth_signTypedData_v4."""


class SignedBody(ApiModel):
    """A signature over one document of `signing`, with `message.nonce` and `message.expiresAt` as signed."""

    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    signature: str = Field(max_length=SIGNATURE_CHARS_MAX, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")

    @property
    def signed(self) -> SignedAction:
        return SignedAction(SignatureTerms(self.nonce, self.expires_at), self.signature)


class SignedActionBody(SignedBody):
    """A signature over one document of `signing`, with `message.nonce`, `message.expiresAt` and `message.reason` as signed."""

    reason: Reason = Field(min_length=1, description="`message.reason` as signed: why, for later readers")

    def request_of(self, user: User) -> SignedRequest:
        return SignedRequest(user, self.reason, self.signed)


class ProposeActionBody(ApiModel):
    """An action to sign: its name, the path of its resource, and the reason that the document will have."""

    action: ActionName
    resource: str = Field(max_length=200, description="the resource's path in this API, such as `/redemptions/12`")
    reason: Reason = Field(min_length=1, description="why, for later readers")


class ActionDocumentView(ApiModel):
    """A document to sign as it is, and where its signature goes."""

    statement: str = Field(description="what will happen, in words; the document has it cut to 200 characters of ASCII")
    typed_data: TypedData
    expires_at: Time
    submit_to: str = Field(
        description="path of this API that takes `{nonce, expiresAt, reason, signature}`, the first three as in the message"
    )

    @classmethod
    def of(cls, proposed: ActionDocument) -> Self:
        return cls(
            statement=proposed.statement,
            typed_data=proposed.document,
            expires_at=proposed.terms.expires_at,
            submit_to=proposed.submit_to,
        )
