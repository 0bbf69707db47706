"""JSON shapes of sign-in."""

from typing import Literal, Self

from pydantic import Field

from paimon.application.identity.sign_in import Caller, Challenge, SignInResult
from paimon.domain.user.roles import User, UserRole
from paimon.gateway.rest.schema import AddressText, ApiModel, Time

_MESSAGE_CHARS_MAX = 4_000


class ChallengeBody(ApiModel):
    address: AddressText = Field(description="the wallet that will sign")


class ChallengeView(ApiModel):
    """The text to sign with personal_sign, once, before it expires."""

    message: str
    nonce: str
    expires_at: Time

    @classmethod
    def of(cls, challenge: Challenge) -> Self:
        return cls(message=challenge.message, nonce=challenge.nonce, expires_at=challenge.expires_at)


class VerifyBody(ApiModel):
    message: str = Field(
        max_length=_MESSAGE_CHARS_MAX,
        description="`message` of POST /auth/challenge, or another EIP-4361 message over its nonce, domain, URI and chain",
    )
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by personal_sign")


class UserView(ApiModel):
    address: AddressText
    role: UserRole
    name: str

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(address=user.address, role=user.role, name=user.name)


class SignedInView(ApiModel):
    """An access token. Send it as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 — the scheme's name
    expires_at: Time
    user: UserView

    @classmethod
    def of(cls, signed_in: SignInResult) -> Self:
        return cls(access_token=signed_in.token, expires_at=signed_in.expires_at, user=UserView.of(signed_in.user))


class MeView(UserView):
    """The user the access token names, with the role they have now."""

    token_expires_at: Time

    @classmethod
    def of_caller(cls, caller: Caller) -> Self:
        user = caller.user
        return cls(address=user.address, role=user.role, name=user.name, token_expires_at=caller.token.expires_at)
