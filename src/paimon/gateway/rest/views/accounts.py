"""JSON shapes of sign-in and sessions."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from paimon.application.identity.session_store import ListedSession
from paimon.application.identity.sessions import IssuedTokens
from paimon.application.identity.sign_in import Caller, Challenge
from paimon.domain.user.roles import User, UserRole
from paimon.domain.user.session import SessionEnd, SessionStatus
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


class ClientKind(StrEnum):
    """Where a client keeps its refresh token: a program gets it in the body, a browser in a cookie that scripts cannot read."""

    PROGRAM = "PROGRAM"
    BROWSER = "BROWSER"


class VerifyBody(ApiModel):
    message: str = Field(
        max_length=_MESSAGE_CHARS_MAX,
        description="`message` of POST /auth/challenge, or another EIP-4361 message over its nonce, domain, URI and chain",
    )
    signature: str = Field(
        max_length=4_000,
        description="0x-hex by personal_sign: 65 bytes r ‖ s ‖ v of a key, or what a contract wallet accepts (EIP-1271)",
    )
    client: ClientKind = Field(ClientKind.PROGRAM, description="where the refresh token goes: the body, or a browser's cookie")


class RefreshBody(ApiModel):
    refresh_token: str | None = Field(
        None, max_length=200, description="of the last sign-in or refresh; absent in a browser, whose cookie has it"
    )


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
    refresh_token: str | None = Field(
        description="for POST /auth/refresh, once; null for a browser, whose cookie has it, and within the grace of a used one"
    )
    session_id: UUID
    session_expires_at: Time = Field(description="the session ends then, and before if it is not used")
    user: UserView

    @classmethod
    def of(cls, issued: IssuedTokens, *, with_refresh_token: bool) -> Self:
        return cls(
            access_token=issued.access_token,
            expires_at=issued.expires_at,
            refresh_token=issued.refresh_token if with_refresh_token else None,
            session_id=issued.session.id,
            session_expires_at=issued.session.expires_at,
            user=UserView.of(issued.user),
        )


class SessionView(ApiModel):
    """One sign-in of this person."""

    id: UUID
    status: SessionStatus
    is_current: bool = Field(description="whether this request's token is of this session")
    client: str | None = Field(description="`User-Agent` of the sign-in; null where it was erased")
    network_address: str | None = Field(
        description="where the sign-in came from, an IPv6 address as its /64 network; null where it was erased"
    )
    created_at: Time
    used_at: Time = Field(description="the last request, to the minute")
    expires_at: Time
    ended_at: Time | None
    end_reason: SessionEnd | None

    @classmethod
    def of(cls, listed: ListedSession, now: datetime, *, idle: timedelta, current: UUID | None = None) -> Self:
        session, origin = listed.session, listed.origin
        return cls(
            id=session.id,
            status=session.status(now, idle=idle),
            is_current=session.id == current,
            client=None if origin is None else origin.client,
            network_address=None if origin is None else origin.network_address,
            created_at=session.created_at,
            used_at=session.used_at,
            expires_at=session.expires_at,
            ended_at=session.ended_at,
            end_reason=session.end_reason,
        )


class SessionsView(ApiModel):
    """The newest sessions of a person, 200 at most, ended ones of the last months too."""

    items: list[SessionView]

    @classmethod
    def of(cls, sessions: Iterable[ListedSession], now: datetime, *, idle: timedelta, current: UUID | None = None) -> Self:
        return cls(items=[SessionView.of(session, now, idle=idle, current=current) for session in sessions])


class SessionsEndedView(ApiModel):
    ended: int = Field(description="how many sessions were open")


class PersonErasedView(ApiModel):
    """The person whose personal data was erased."""

    address: AddressText


class TokenKeyView(ApiModel):
    """A public key (RFC 7517, RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class KeySetView(ApiModel):
    """A JWK set. The first key signs."""

    keys: list[TokenKeyView]


class MeView(UserView):
    """The user the access token names, with the role they have now."""

    token_expires_at: Time

    @classmethod
    def of_caller(cls, caller: Caller) -> Self:
        user = caller.user
        return cls(address=user.address, role=user.role, name=user.name, token_expires_at=caller.token.expires_at)
