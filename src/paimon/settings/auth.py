"""Settings of sign-in."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from paimon.settings.base import SettingsGroup

_EXAMPLE: Final = "change-me"


def _require_own(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value().startswith(_EXAMPLE):
        raise ValueError("is the example's, with which anyone can sign tokens: make one of your own")
    return secret


class AuthSettings(SettingsGroup):
    """Sign-in with a wallet (EIP-4361), and access tokens."""

    token_secret: Annotated[SecretStr, AfterValidator(_require_own)] = Field(
        min_length=32, description="key that signs access tokens; the same on every API replica"
    )
    domain: str = Field("localhost", description="host that the sign-in message names")
    uri: str = Field("http://localhost", description="URI that the sign-in message names")
    challenge_ttl_seconds: int = Field(300, description="seconds in which a challenge must be signed")
    access_token_ttl_seconds: int = Field(900, description="seconds that an access token is valid")
