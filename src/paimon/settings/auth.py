"""Settings of sign-in."""

from pydantic import Field

from paimon.settings.base import OwnSecret, SettingsGroup


class AuthSettings(SettingsGroup):
    """Sign-in with a wallet (EIP-4361), and access tokens."""

    token_secret: OwnSecret = Field(min_length=32, description="key that signs access tokens; the same on every API replica")
    domain: str = Field("localhost", description="host that the sign-in message names")
    uri: str = Field("http://localhost", description="URI that the sign-in message names")
    challenge_ttl_seconds: int = Field(300, description="seconds in which a challenge must be signed")
    access_token_ttl_seconds: int = Field(900, description="seconds that an access token is valid")
