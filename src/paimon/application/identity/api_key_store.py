"""API keys in the database."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.identity.store import RECORD_COLUMNS, UserRecord, user_record_of, with_head
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.user.api_key import ApiKey
from paimon.domain.user.roles import Permission
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.user import ApiKeyRow
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.envelope import SubjectCipher

_ROWS_ARE_NOT_LOADED: Final = {"synchronize_session": False}

_NAMES: Final = tuple(field.name for field in fields(ApiKey))
_COLUMNS: Final = tuple(getattr(ApiKeyRow, name).label(f"key_{name}") for name in _NAMES)


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as its maker reads it. `last_used_from` is None where it was not used, or where that was erased."""

    key: ApiKey
    last_used_from: str | None


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """A key, with the head of the grants, which say who its maker is."""

    key: ApiKey
    record: UserRecord


def _key_of(row: Any) -> ApiKey:
    values: Mapping[str, Any] = {name: getattr(row, f"key_{name}") for name in _NAMES}
    times = {name: as_utc(value) for name, value in values.items() if isinstance(value, datetime)}
    return ApiKey(
        **{
            **values,
            **times,
            "address": Address(values["address"]),
            "permissions": frozenset(map(Permission, values["permissions"])),
            "networks": tuple(map(ip_network, values["networks"])),
        }
    )


API_KEY_RECORD: Final = RowQuery(
    select(*_COLUMNS, *RECORD_COLUMNS).select_from(with_head(ApiKeyRow)).where(ApiKeyRow.hash == bindparam("hash")),
    lambda row: ApiKeyRecord(_key_of(row), user_record_of(row)),
)
"""What every request with a key needs, in one query."""


async def insert_key(session: WriteSession, key: ApiKey, key_hash: Hash32) -> None:
    values = {name: getattr(key, name) for name in _NAMES}
    stored = {"permissions": sorted(key.permissions), "networks": [str(network) for network in key.networks], "hash": key_hash}
    await session.execute(insert(ApiKeyRow).values(values | stored))


async def record_key_use(session: WriteSession, key: UUID, now: datetime, network_address: str, cipher: SubjectCipher) -> None:
    """Record the last use of a key, unless a later one is recorded already."""
    is_earlier = ApiKeyRow.id == key, func.coalesce(ApiKeyRow.last_used_at, ApiKeyRow.created_at) <= now
    sealed = cipher.seal(network_address, _place(key))
    used = update(ApiKeyRow).where(*is_earlier).values(last_used_at=now, last_used_from=sealed)
    await session.execute(used, execution_options=_ROWS_ARE_NOT_LOADED)


async def list_keys_of(session: AsyncSession, address: Address, cipher: SubjectCipher) -> list[ListedKey]:
    """List a person's keys, latest first, revoked ones too."""
    query = select(*_COLUMNS, ApiKeyRow.last_used_from).where(ApiKeyRow.address == address)
    rows = await session.execute(query.order_by(ApiKeyRow.created_at.desc()))
    return [ListedKey(_key_of(row), cipher.open(row.last_used_from, _place(row.key_id))) for row in rows]


def _place(key: UUID) -> str:
    return f"api_keys/{key}/last_used_from"


async def revoke(session: WriteSession, key: UUID, address: Address | None, now: datetime) -> bool:
    """Revoke a key, of this person if one is given; return whether there was one to revoke."""
    conditions = [ApiKeyRow.id == key, ApiKeyRow.revoked_at.is_(None)]
    if address is not None:
        conditions.append(ApiKeyRow.address == address)
    revoked = update(ApiKeyRow).where(*conditions).values(revoked_at=now).returning(ApiKeyRow.id)
    return (await session.execute(revoked)).first() is not None
