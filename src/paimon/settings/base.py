"""What settings are made of: refusals in words, secrets that no log shows, and groups that take no mistyped name."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SecretStr

from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.errors import StartupError


class SettingsError(StartupError):
    """A setting is missing or wrong; the message names the variable and what it should hold."""


def _address(value: object) -> Address:
    return Address(value) if isinstance(value, bytes) else parse_address(str(value))


ChecksumAddress = Annotated[Address, BeforeValidator(_address), PlainSerializer(checksum)]
"""Given as 0x-hex, kept as 20 bytes."""


def _url(*beginnings: str) -> AfterValidator:
    """A secret URL that starts with one of these; the message does not repeat it."""

    def check(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(beginnings):
            raise ValueError(f"must be a URL that starts with {' or '.join(beginnings)}")
        return url

    return AfterValidator(check)


PostgresUrl = Annotated[SecretStr, _url("postgresql+psycopg://", "postgresql://")]


RedisUrl = Annotated[SecretStr, _url("redis://", "rediss://", "unix://")]


HttpUrl = Annotated[SecretStr, _url("https://", "http://")]


WebSocketUrl = Annotated[SecretStr, _url("wss://", "ws://")]


class SettingsGroup(BaseModel):
    """Settings that belong together. A mistyped variable is refused: ignored, it would leave its default in force."""

    model_config = ConfigDict(extra="forbid")
