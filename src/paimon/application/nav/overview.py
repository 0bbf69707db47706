"""The overview of the fund: a snapshot with the official NAV of its time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from paimon.application.nav.as_of import snapshot_as_of
from paimon.application.nav.store import NavPoint, find_newest_nav_point, find_newest_snapshot
from paimon.application.oracle.queries import load_untrusted
from paimon.domain.kernel.chain import Address
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class FundOverview:
    """A snapshot and the last NAV point that was decided until then, published or withheld; None before the first point.

    `untrusted` are the assets whose price was not trusted at the snapshot, each with the reasons.
    """

    snapshot: FundSnapshot
    nav_point: NavPoint | None
    untrusted: Mapping[Address, str]


async def find_overview(session: ReadSession) -> FundOverview | None:
    """Return the newest overview; None before the first snapshot."""
    snapshot = await find_newest_snapshot(session)
    if snapshot is None:
        return None
    nav_point = await find_newest_nav_point(session)
    return FundOverview(snapshot, nav_point, await load_untrusted(session, block=snapshot.at.number))


async def overview_as_of(session: ReadSession, block: int) -> FundOverview:
    """Return the overview of the newest kept snapshot at or before a block, with the NAV point of that time.

    Raises:
        NothingRecorded, BlockNotRecorded, SnapshotNotFound.
    """
    snapshot = await snapshot_as_of(session, block)
    nav_point = await find_newest_nav_point(session, until=block)
    return FundOverview(snapshot, nav_point, await load_untrusted(session, block=snapshot.at.number))


class FundPublisher(Protocol):
    """Publisher of what changed in the fund, after the commit.

    It makes the JSON, writes it to the cache and sends it to the watchers. It is best effort: what it publishes is committed,
    and a reader who misses it finds it in the database.
    """

    async def publish_overview(self, *, previous: FundSnapshot | None) -> None:
        """Publish the newest overview, and NAV too when it differs from the previous snapshot's."""

    async def publish_nav(self) -> None:
        """Publish that NAV points changed: cached histories are out of date, and the overview shows another official NAV."""
