"""JSON shapes of API keys."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from paimon.application.identity.api_key_store import ListedKey
from paimon.application.identity.api_keys import KEY_DAYS_MAX, NewApiKey
from paimon.domain.user.api_key import ApiKey
from paimon.domain.user.roles import Permission
from paimon.gateway.rest.schema import ApiModel, Time

_NETWORKS_MAX = 50
_NAME_CHARS_MAX = 100


def _network(value: object) -> str:
    try:
        return str(ip_network(str(value)))
    except ValueError as error:
        raise ValueError(f"not an address or network such as 192.0.2.0/24: {error}") from None


NetworkText = Annotated[str, BeforeValidator(_network)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_NAME_CHARS_MAX)]


class NewApiKeyBody(ApiModel):
    name: _Name = Field(description="what the key is for")
    permissions: list[Permission] = Field(min_length=1, description="rights that the key has, as far as its maker has them")
    networks: list[NetworkText] = Field(
        default=[], max_length=_NETWORKS_MAX, description="addresses or networks it may be used from; anywhere if empty"
    )
    days: int = Field(90, ge=1, le=KEY_DAYS_MAX, description="days until it expires")

    def wanted(self) -> NewApiKey:
        networks = tuple(ip_network(network) for network in self.networks)
        return NewApiKey(self.name, frozenset(self.permissions), networks, self.days)


class ApiKeyView(ApiModel):
    """A key, without its text."""

    id: UUID
    name: str
    permissions: list[Permission]
    networks: list[str]
    is_active: bool = Field(description="neither revoked nor expired")
    created_at: Time
    expires_at: Time
    last_used_at: Time | None = Field(description="to the minute")
    last_used_from: str | None = Field(description="the network address; null where it was erased")
    revoked_at: Time | None

    @classmethod
    def of(cls, key: ApiKey, now: datetime, *, last_used_from: str | None) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            permissions=sorted(key.permissions),
            networks=[str(network) for network in key.networks],
            is_active=key.revoked_at is None and now < key.expires_at,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            last_used_from=last_used_from,
            revoked_at=key.revoked_at,
        )


class ApiKeysView(ApiModel):
    """The keys of a person, latest first."""

    items: list[ApiKeyView]

    @classmethod
    def of(cls, keys: Iterable[ListedKey], now: datetime) -> Self:
        return cls(items=[ApiKeyView.of(listed.key, now, last_used_from=listed.last_used_from) for listed in keys])


class CreatedApiKeyView(ApiModel):
    """A new key, with the one showing of its text."""

    key: str = Field(description="send it as `Authorization: Bearer …`; it is not shown again")
    details: ApiKeyView


class ApiKeyRevokedView(ApiModel):
    id: UUID
