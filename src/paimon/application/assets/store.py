"""Asset profiles in the database: every version, and the newest of each asset."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Select, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.asset.profile import AssetProfile, Liquidity, RecordedProfile
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import Bps
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.derived.asset import AssetConfigRow
from paimon.infrastructure.database.models.ops.asset_profile import AssetProfileRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

HISTORY_MAX: Final = 200
_LOCK: Final = 0x5061696D_70726F66  # "Paimprof"


class AssetNotFound(NotFound):
    """The fund never had this asset."""


async def lock_profiles(session: WriteSession) -> None:
    """Let no other profile be set until the transaction ends: two at once would have the same version."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def require_asset(session: ReadSession | WriteSession, token: Address) -> None:
    """Raises AssetNotFound."""
    if (await session.execute(select(AssetConfigRow.token).where(AssetConfigRow.token == token))).first() is None:
        raise AssetNotFound


async def list_profiles(session: AsyncSession) -> dict[Address, RecordedProfile | None]:
    """Return every asset that the fund ever had, with the newest version of its profile."""
    tokens = await session.scalars(select(AssetConfigRow.token).order_by(AssetConfigRow.added_block, AssetConfigRow.token))
    profiles = await load_profiles(session)
    return {token: profiles.get(token) for token in map(Address, tokens)}


async def load_profiles(session: AsyncSession) -> dict[Address, RecordedProfile]:
    """Return the newest version of each asset's profile."""
    newest = select(AssetProfileRow).ext(distinct_on(AssetProfileRow.token))
    return {found.token: found for found in await _read(session, newest.order_by(AssetProfileRow.token, _NEWEST))}


async def find_profile(session: AsyncSession, token: Address) -> RecordedProfile | None:
    """Return the newest version of the asset's profile."""
    return next(iter(await list_history(session, token, limit=1)), None)


async def list_history(session: AsyncSession, token: Address, *, limit: int = HISTORY_MAX) -> list[RecordedProfile]:
    """List the versions of the asset's profile, newest first."""
    of_token = select(AssetProfileRow).where(AssetProfileRow.token == token)
    return list(await _read(session, of_token.order_by(_NEWEST).limit(limit)))


async def insert_profile(session: WriteSession, recorded: RecordedProfile, nonce: Hash32) -> None:
    session.add(
        AssetProfileRow(
            token=recorded.token,
            version=recorded.version,
            counterparty=recorded.profile.counterparty,
            days_to_cash=recorded.profile.liquidity.days_to_cash,
            cost_bps=recorded.profile.liquidity.cost,
            reason=recorded.reason,
            changed_by=recorded.changed_by,
            nonce=nonce,
        )
    )
    await session.flush()


_NEWEST: Final = AssetProfileRow.version.desc()


async def _read(session: AsyncSession, query: Select[AssetProfileRow]) -> Iterable[RecordedProfile]:
    return map(_to_domain, await session.scalars(query))


def _to_domain(row: AssetProfileRow) -> RecordedProfile:
    profile = AssetProfile(row.counterparty, Liquidity(row.days_to_cash, Bps(row.cost_bps)))
    return RecordedProfile(
        Address(row.token), row.version, profile, row.reason, Address(row.changed_by), as_utc(row.changed_at)
    )
