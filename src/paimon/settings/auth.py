"""Settings of sign-in."""

from pydantic import Field, SecretStr

from paimon.settings.base import SettingsGroup


class AuthSettings(SettingsGroup):
    token_secret: SecretStr = Field(min_length=32, description="signs access tokens; the same on every API replica")
    domain: str = Field("localhost", description="the host a sign-in message names")
    uri: str = "http://localhost"
    challenge_ttl_seconds: int = 300
    access_token_ttl_seconds: int = 900
