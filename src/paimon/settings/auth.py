"""Settings of sign-in."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from paimon.settings.base import OwnSecret, SettingsGroup

_SECRET_CHARS_MIN: Final = 32


class AuthSettings(SettingsGroup):
    """Sign-in with a wallet (EIP-4361), sessions and access tokens."""

    token_secret: OwnSecret = Field(
        min_length=_SECRET_CHARS_MIN, description="secret of the key that signs access tokens; the same on every API replica"
    )
    other_token_secrets: OwnSecret = Field(
        SecretStr(""),
        description="further secrets, separated by commas, whose tokens are accepted too: the next or the last one",
    )
    personal_data_secret: OwnSecret = Field(
        min_length=_SECRET_CHARS_MIN,
        description="secret of the key that encrypts the keys of personal data; the same on every API replica, and in no backup"
        " of the database",
    )
    other_personal_data_secrets: OwnSecret = Field(
        SecretStr(""), description="further secrets, separated by commas, whose keys are read too: the next or the last one"
    )
    domain: str = Field(
        min_length=1, description="host, with its port if any, of the site where people sign in; the message they sign names it"
    )
    uri: str = Field(
        min_length=1,
        description="URI of that site, https://… (http:// on this machine only); the message they sign names it",
    )
    challenge_ttl_seconds: int = Field(300, ge=1, description="seconds in which a challenge must be signed")
    clock_tolerance_seconds: int = Field(
        30, ge=0, le=300, description="seconds by which the times in a sign-in message may be early or late"
    )
    access_token_ttl_seconds: int = Field(900, ge=1, description="seconds that an access token is valid")
    refresh_token_ttl_seconds: int = Field(
        7 * 86_400, ge=1, description="seconds from sign-in to the end of a session, and of all its refresh tokens"
    )
    session_idle_seconds: int = Field(1_800, ge=60, description="seconds without a request after which a session ends")
    refresh_grace_seconds: int = Field(
        10, ge=0, le=60, description="seconds in which a used refresh token still gives an access token, but no refresh token"
    )
    session_kept_days: int = Field(90, ge=1, description="days that an ended session is kept for its owner to see")

    @field_validator("other_token_secrets", "other_personal_data_secrets")
    @classmethod
    def _are_long_enough(cls, text: SecretStr) -> SecretStr:
        if any(len(secret) < _SECRET_CHARS_MIN for secret in _split(text)):
            raise ValueError(f"each secret has at least {_SECRET_CHARS_MIN} characters and no comma")
        return text

    @field_validator("uri")
    @classmethod
    def _is_encrypted_or_local(cls, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or "")):
            return uri
        raise ValueError("must begin with https://: without it, others read tokens; http:// is for 127.0.0.1 and localhost")

    def token_secrets(self) -> tuple[SecretStr, ...]:
        """List the secrets of access tokens; the first one signs."""
        return self.token_secret, *map(SecretStr, _split(self.other_token_secrets))

    def personal_data_secrets(self) -> tuple[SecretStr, ...]:
        """List the secrets of the keys of personal data; the first one encrypts."""
        return self.personal_data_secret, *map(SecretStr, _split(self.other_personal_data_secrets))

    @property
    def origin(self) -> str:
        """The origin of the site, as browsers send it."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach the site over TLS."""
        return self.origin.startswith("https://")


def _split(secrets: SecretStr) -> list[str]:
    return [part for item in secrets.get_secret_value().split(",") if (part := item.strip())]


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
