"""Settings of sign-in."""

from pydantic import Field

from paimon.settings.base import OwnSecret, SettingsGroup


class AuthSettings(SettingsGroup):
    """Sign-in with a wallet (EIP-4361), and access tokens."""

    token_secret: OwnSecret = Field(min_length=32, description="key that signs access tokens; the same on every API replica")
    domain: str = Field(
        min_length=1, description="host, with its port if any, of the site where people sign in; the message they sign names it"
    )
    uri: str = Field(min_length=1, description="URI of that site, https://…; the message they sign names it")
    challenge_ttl_seconds: int = Field(300, description="seconds in which a challenge must be signed")
    access_token_ttl_seconds: int = Field(900, description="seconds that an access token is valid")
