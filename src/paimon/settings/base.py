"""Base of the settings: the group class, the error, and the types of addresses and secret URLs."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SecretStr

from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.errors import StartupError


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


class SettingsGroup(BaseModel):
    """Settings that belong together. A mistyped variable is refused, since ignoring it would leave the default in force."""

    model_config = ConfigDict(extra="forbid")
