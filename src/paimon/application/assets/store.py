"""Asset profiles in the database: the versions that count, and the newest of each asset.

A version counts if someone who might administer the fund signed exactly its values, its number and its reason. A row that does
not count is left out everywhere, logged and counted: who writes the API's database cannot make an asset liquid.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import structlog
from sqlalchemy import Select, select, text

from paimon.application.common.signed_action_store import SIGNED_COLUMNS, stored_action
from paimon.application.common.stored_signature import StoredAction, find_signer
from paimon.application.identity.signed_users import list_past_holders
from paimon.domain.asset.profile import AssetProfile, Liquidity, RecordedProfile
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import Bps
from paimon.domain.operations.refusals import UnsignedRow
from paimon.domain.user.roles import Permission
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.derived.asset import AssetConfigRow
from paimon.infrastructure.database.models.ops.asset_profile import AssetProfileRow
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession
from paimon.infrastructure.observability.metrics import UNSIGNED_ROWS

log = structlog.get_logger(__name__)

HISTORY_MAX: Final = 200
PERMISSION: Final = Permission.ADMINISTER_FUND
"""What a person needs to set a profile."""
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


async def list_profiles(session: ReadSession | WriteSession, scope: SigningScope) -> dict[Address, RecordedProfile | None]:
    """Return every asset that the fund ever had, with the newest version of its profile."""
    tokens = await session.scalars(select(AssetConfigRow.token).order_by(AssetConfigRow.added_block, AssetConfigRow.token))
    profiles = await load_profiles(session, scope)
    return {token: profiles.get(token) for token in map(Address, tokens)}


async def load_profiles(session: ReadSession | WriteSession, scope: SigningScope) -> dict[Address, RecordedProfile]:
    """Return the newest version of each asset's profile that counts."""
    return {recorded.token: recorded async for recorded in _counting(session, scope, _VERSIONS, newest_only=True)}


async def find_profile(session: ReadSession | WriteSession, token: Address, scope: SigningScope) -> RecordedProfile | None:
    """Return the newest version of the asset's profile that counts."""
    of_token = _VERSIONS.where(AssetProfileRow.token == token)
    return await anext(_counting(session, scope, of_token, newest_only=True), None)


async def next_version(session: ReadSession | WriteSession, token: Address, known: RecordedProfile | None) -> int:
    """Return the first free number after the version that counts. A row that does not count keeps its number."""
    after = 0 if known is None else known.version
    numbers = select(AssetProfileRow.version).where(AssetProfileRow.token == token, AssetProfileRow.version > after)
    taken = set(await session.scalars(numbers))
    return next(number for number in range(after + 1, after + len(taken) + 2) if number not in taken)


async def list_history(session: ReadSession | WriteSession, token: Address, scope: SigningScope) -> list[RecordedProfile]:
    """List the versions of the asset's profile that count, newest first."""
    of_token = _VERSIONS.where(AssetProfileRow.token == token)
    return [recorded async for recorded in _counting(session, scope, of_token)][:HISTORY_MAX]


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


_VERSIONS: Final[Select[*tuple[Any, ...]]] = (
    select(AssetProfileRow, *SIGNED_COLUMNS)
    .join(SignedActionRow, SignedActionRow.nonce == AssetProfileRow.nonce)
    .order_by(AssetProfileRow.token, AssetProfileRow.version.desc())
)


async def _counting(
    session: ReadSession | WriteSession, scope: SigningScope, query: Select[*tuple[Any, ...]], *, newest_only: bool = False
) -> AsyncIterator[RecordedProfile]:
    """Yield the versions that count; with `newest_only` one of each asset, and the older ones cost no verification."""
    rows = (await session.execute(query)).all()
    administrators = await list_past_holders(session, PERMISSION, scope) if rows else set()
    found: set[Address] = set()
    for row in rows:
        recorded = _to_domain(row.AssetProfileRow)
        if newest_only and recorded.token in found:
            continue
        if recorded.changed_by in administrators and _is_signed(recorded, stored_action(row), scope):
            found.add(recorded.token)
            yield recorded
        else:
            log.critical("asset.profile_not_signed", token=checksum(recorded.token), version=recorded.version)
            UNSIGNED_ROWS.labels(UnsignedRow.ASSET_PROFILE).inc()


def _is_signed(recorded: RecordedProfile, stored: StoredAction, scope: SigningScope) -> bool:
    """Report whether the person whom the row names signed what it says."""
    content = recorded.profile.content(recorded.token, recorded.version)
    return stored.reason == recorded.reason and find_signer(stored, content, scope) == recorded.changed_by


def _to_domain(row: AssetProfileRow) -> RecordedProfile:
    profile = AssetProfile(row.counterparty, Liquidity(row.days_to_cash, Bps(row.cost_bps)))
    return RecordedProfile(
        Address(row.token), row.version, profile, row.reason, Address(row.changed_by), as_utc(row.changed_at)
    )
