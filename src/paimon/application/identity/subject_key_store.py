"""Keys of personal data in the database: one live key of a person, and the numbers of those that were erased.

A key is read from its row each time and kept by no process. So what one replica erases, no other reads a moment later.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import Address
from paimon.errors import StartupError
from paimon.infrastructure.database.models.ops.user import SubjectKeyRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.keys.envelope import SubjectCipher, WrappedKey, WrappingKeys, unknown_key_text, wrapping_keys
from paimon.settings import AuthSettings

_IS_LIVE: Final = SubjectKeyRow.erased_at.is_(None)
_REWRAPPED_AT_ONCE: Final = 500


class PersonalDataSecretMissing(StartupError):
    """Personal data is encrypted under a secret that is not set."""


async def writing_cipher(session: WriteSession, subject: Address, auth: AuthSettings) -> SubjectCipher:
    """Return the person's cipher, with a new key where there is none. An erasure waits until this transaction has ended.

    Raises:
        WrappingKeyUnknown, SealedTextDamaged.
    """
    keys = wrapping_keys(auth.personal_data_secrets())
    live = select(SubjectKeyRow).where(SubjectKeyRow.address == subject, _IS_LIVE).with_for_update(read=True)
    row = await session.scalar(live)
    if row is None:
        made = keys.new_key(subject)
        values = {"address": subject, "wrapped_by": made.wrapped_by, "wrapped_key": made.content}
        await session.execute(insert(SubjectKeyRow).values(values).on_conflict_do_nothing())  # another sign-in may be faster
        row = (await session.execute(live)).scalar_one()
    return SubjectCipher({row.id: keys.unwrap(_wrapped(row), subject)})


async def reading_cipher(session: AsyncSession, subject: Address, auth: AuthSettings) -> SubjectCipher:
    """Return the person's cipher, which has no key when their personal data is erased or there never was any.

    Raises:
        WrappingKeyUnknown, SealedTextDamaged.
    """
    keys = wrapping_keys(auth.personal_data_secrets())
    rows = await session.scalars(select(SubjectKeyRow).where(SubjectKeyRow.address == subject, _IS_LIVE))
    return SubjectCipher({row.id: keys.unwrap(_wrapped(row), subject) for row in rows})


async def find_live_key(session: AsyncSession, subject: Address) -> int | None:
    """Return the number of the person's live key."""
    found: int | None = await session.scalar(select(SubjectKeyRow.id).where(SubjectKeyRow.address == subject, _IS_LIVE))
    return found


async def erase_key(session: WriteSession, key: int, by: Address, now: datetime) -> None:
    """Forget a data key. Nothing brings it back, but a copy of the database from before."""
    values = {"wrapped_key": None, "erased_at": now, "erased_by": by}
    await session.execute(update(SubjectKeyRow).where(SubjectKeyRow.id == key, _IS_LIVE).values(values))


async def require_personal_data_secrets(database: Database, auth: AuthSettings) -> None:
    """Refuse to start a process that could not read personal data.

    Raises:
        PersonalDataSecretMissing
    """
    known = wrapping_keys(auth.personal_data_secrets()).names
    async with database.read() as session:
        query = select(SubjectKeyRow.wrapped_by).where(_IS_LIVE, SubjectKeyRow.wrapped_by.not_in(known)).distinct()
        unknown = list(await session.scalars(query))
    if unknown:
        raise PersonalDataSecretMissing(unknown_key_text(sorted(unknown)))


async def rewrap_keys(database: Database, auth: AuthSettings) -> int:
    """Wrap every live data key with the current secret, and return how many had another. No text is encrypted again.

    Raises:
        WrappingKeyUnknown, SealedTextDamaged.
    """
    keys, rewrapped = wrapping_keys(auth.personal_data_secrets()), 0
    while rows := await _rewrap_some(database, keys):
        rewrapped += rows
    return rewrapped


async def _rewrap_some(database: Database, keys: WrappingKeys) -> int:
    others = select(SubjectKeyRow).where(_IS_LIVE, SubjectKeyRow.wrapped_by != keys.current).limit(_REWRAPPED_AT_ONCE)
    async with database.write() as session:
        rows: Sequence[SubjectKeyRow] = (await session.scalars(others.with_for_update())).all()
        for row in rows:
            wrapped = keys.rewrap(_wrapped(row), row.address)
            row.wrapped_by, row.wrapped_key = wrapped.wrapped_by, wrapped.content
    return len(rows)


def _wrapped(row: SubjectKeyRow) -> WrappedKey:
    assert row.wrapped_key is not None  # noqa: S101 — a constraint holds it while the key is live
    return WrappedKey(row.wrapped_by, row.wrapped_key)
