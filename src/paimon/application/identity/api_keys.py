"""API keys: make one, authenticate with one, list and revoke them.

A key is 256 random bits, shown once. The database keeps its SHA-256, which gives no access.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

import structlog

from paimon.application.identity.api_key_store import (
    API_KEY_RECORD,
    ListedKey,
    insert_key,
    list_keys_of,
    record_key_use,
    revoke,
)
from paimon.application.identity.signed_users import SignedUsers
from paimon.application.identity.subject_key_store import reading_cipher, writing_cipher
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.user.api_key import KEY_PERMISSIONS, ApiKey, Network
from paimon.domain.user.roles import Permission, User
from paimon.errors import InvalidRequest, NotFound, Unauthenticated
from paimon.infrastructure.database.availability import DatabaseUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.envelope import SealedTextDamaged, WrappingKeyUnknown
from paimon.settings import AuthSettings

log = structlog.get_logger(__name__)

KEY_PREFIX: Final = "paimon_ak_"
"""What a key begins with, so that people and scanners of secrets know one, and no access token looks like it."""
KEY_DAYS_MAX: Final = 366
_KEY_BYTES: Final = 32
_USE_SECONDS: Final = 60
"""The last use is recorded once a minute at most."""


class ApiKeyInvalid(Unauthenticated):
    """There is no such API key, or it counts for nothing now."""


class ApiKeyNotFound(NotFound):
    """There is no API key of this person with that id that is not revoked."""


class InvalidKeyPermissions(InvalidRequest):
    """The key is to have rights that no key has, or that its maker lacks."""

    field = "permissions"


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """What a person wants a key to be."""

    name: str
    permissions: frozenset[Permission]
    networks: tuple[Network, ...]
    days: int


async def create_key(wanted: NewApiKey, maker: User, *, database: Database) -> tuple[ApiKey, str]:
    """Return a new key and its text, which is nowhere else.

    Raises:
        InvalidKeyPermissions
    """
    for permission in sorted(wanted.permissions):
        if permission not in KEY_PERMISSIONS:
            raise InvalidKeyPermissions(f"no API key has the right {permission}; one may have {', '.join(KEY_PERMISSIONS)}")
        if (fault := maker.role_fault(permission)) is not None:
            raise InvalidKeyPermissions(f"a key has no right that its maker lacks: {fault}")
    text = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    async with database.write() as session:
        now = await database_now(session)
        expires_at = now + timedelta(days=wanted.days)
        key = ApiKey(uuid4(), maker.address, wanted.name, wanted.permissions, wanted.networks, now, expires_at)
        await insert_key(session, key, _hash(text))
    log.info("api_key.created", address=checksum(maker.address), key=str(key.id), permissions=sorted(key.permissions))
    return key, text


async def authenticate_key(
    text: str, network_address: str, *, database: Database, users: SignedUsers, auth: AuthSettings
) -> tuple[User, ApiKey]:
    """Return the maker of this key as they are now, and the key.

    Raises:
        ApiKeyInvalid
    """
    found = await database.find_newest(API_KEY_RECORD, hash=_hash(text))
    if found is None:
        raise ApiKeyInvalid("there is no such API key")
    key, now = found.key, found.record.now
    if (fault := key.fault(now, network_address)) is not None:
        raise ApiKeyInvalid(fault)
    maker = await users.find(key.address, found.record.head, database)
    if maker is None:
        raise ApiKeyInvalid(f"{checksum(key.address)}, who made the API key, is no user any more")
    if key.last_used_at is None or key.last_used_at + timedelta(seconds=_USE_SECONDS) <= now:
        await _record_use(key, now, network_address, database, auth)
    return maker, key


async def list_keys(address: Address, *, database: Database, auth: AuthSettings) -> tuple[Sequence[ListedKey], datetime]:
    """List a person's keys, latest first, with the database's time."""
    async with database.read() as session:
        cipher = await reading_cipher(session, address, auth)
        return await list_keys_of(session, address, cipher), await database_now(session)


async def revoke_key(key: UUID, address: Address | None, *, database: Database) -> None:
    """Revoke a key, of this person if one is given. It counts for nothing from the next request on.

    Raises:
        ApiKeyNotFound
    """
    async with database.write() as session:
        if not await revoke(session, key, address, await database_now(session)):
            raise ApiKeyNotFound
    log.info("api_key.revoked", key=str(key))


async def _record_use(key: ApiKey, now: datetime, network_address: str, database: Database, auth: AuthSettings) -> None:
    """Record the use, if that can be done: a database that takes no writes still answers reads, and a key of personal data that
    cannot be read keeps no one out."""
    try:
        async with database.write() as session:
            await record_key_use(session, key.id, now, network_address, await writing_cipher(session, key.address, auth))
    except DatabaseUnavailable as error:
        log.warning("api_key.use_not_recorded", reason=str(error).splitlines()[0])
    except (WrappingKeyUnknown, SealedTextDamaged) as error:
        log.error("api_key.use_not_recorded", key=str(key.id), reason=str(error))


def _hash(text: str) -> Hash32:
    return Hash32(sha256(text.encode()).digest())
