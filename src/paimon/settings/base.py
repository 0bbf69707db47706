"""Base of the settings: the group class, the error, and the types of addresses and secret URLs."""

from typing import Annotated, Any, Final, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.errors import StartupError
from paimon.settings.secret_stores import SCHEME, read_secret


class SettingsError(StartupError):
    """A setting is missing or wrong; the message names the variable and what it should hold."""


_RESERVED_MAX: Final = 0xFFFF
"""EIP-1352 reserves the addresses up to here for precompiles, so none is a wallet or a contract."""


def _address(value: object) -> Address:
    address = Address(value) if isinstance(value, bytes) else parse_address(str(value))
    if int.from_bytes(address) <= _RESERVED_MAX:
        raise ValueError(f"{checksum(address)} is reserved for precompiles (the examples have such addresses): name your own")
    return address


ChecksumAddress = Annotated[Address, BeforeValidator(_address), PlainSerializer(checksum)]
"""An address given as 0x-hex and kept as 20 bytes."""


def _require_own(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value().startswith("change-me"):
        raise ValueError("is the example's, which anyone can read: make one of your own")
    return secret


OwnSecret = Annotated[SecretStr, AfterValidator(_require_own)]
"""A secret that this system alone knows; the one of `.env.example` is refused."""


def _url(*prefixes: str) -> AfterValidator:
    """Require a secret URL with one of these prefixes; the message does not repeat the URL."""

    def check(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(prefixes):
            raise ValueError(f"must be a URL that starts with {' or '.join(prefixes)}")
        return url

    return AfterValidator(check)


PostgresUrl = Annotated[SecretStr, _url("postgresql+psycopg://", "postgresql://")]
RedisUrl = Annotated[SecretStr, _url("redis://", "rediss://", "unix://")]
HttpUrl = Annotated[SecretStr, _url("https://", "http://")]
WebSocketUrl = Annotated[SecretStr, _url("wss://", "ws://")]


GCP_KEY_VERSION: Final = r"^projects/.+/cryptoKeys/[^/]+/cryptoKeyVersions/\d+$"
GCP_ENDPOINT: Final = r"^(https://[^/]+|http://(127\.0\.0\.1|localhost|\[::1\]):\d+)$"


class SettingsEntry(BaseModel):
    """What belongs together in a file of settings. A mistyped name is refused: the default would stay in force."""

    model_config = ConfigDict(extra="forbid")


class SettingsGroup(SettingsEntry):
    """Settings that belong together. A mistyped variable is refused, since ignoring it would leave the default in force."""

    @field_validator("*", mode="before")
    @classmethod
    def _read_named_secret(cls, value: object, info: ValidationInfo) -> object:
        """Read the secret that a secret setting names; see `secret_stores`."""
        if not isinstance(value, str) or not value.startswith(SCHEME):
            return value
        assert info.field_name is not None  # noqa: S101 — it validates a field
        if not _is_secret(cls.model_fields[info.field_name].annotation):
            raise ValueError("is shown to users, so it takes no secret: write the value itself")
        return read_secret(value)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))
