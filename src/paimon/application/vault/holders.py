"""Who holds the fund at a block, exactly: the holdings of now, less what was recorded after it.

Every log is recorded and folded in order, so walking back over the logs after a block gives the holdings as they were
at it. Of now there is nothing to walk back over; of a block shortly ago, little.
"""

from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from sqlalchemy import text

from paimon.application.nav.as_of import get_recorded_block
from paimon.application.nav.overview import find_kept_snapshot, find_newest_snapshot
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.infrastructure.database.paging import Page, PageRequest
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class HolderList:
    """Holders at `at`, largest first. `valuation_snapshot` is the last snapshot until then; None before the first."""

    at: BlockStamp
    supply: RawAmount
    valuation_snapshot: FundSnapshot | None
    page: Page[RegisteredHolder]


_HOLDERS: Final = text("""
    WITH later AS (
        SELECT contract, event, args, request_id FROM derived.raw_logs
         WHERE block_number > :block AND status = 'APPLIED' AND contract IN ('Vault', 'RedemptionManager')
    ), moved AS (
        SELECT decode(substr(who, 3), 'hex') AS holder, sum(shares) AS shares, sum(locked_shares) AS locked_shares
          FROM (SELECT args ->> 'from' AS who, - CAST(args ->> 'value' AS numeric) AS shares, 0 AS locked_shares
                  FROM later WHERE contract = 'Vault' AND event = 'Transfer'
                UNION ALL
                SELECT args ->> 'to', CAST(args ->> 'value' AS numeric), 0
                  FROM later WHERE contract = 'Vault' AND event = 'Transfer'
                UNION ALL
                SELECT args ->> 'owner', 0,
                       CASE event WHEN 'SharesLocked' THEN 1 ELSE -1 END * CAST(args ->> 'shares' AS numeric)
                  FROM later WHERE contract = 'Vault' AND event IN ('SharesLocked', 'SharesUnlocked', 'SharesBurned')) AS steps
         GROUP BY holder
    ), claims AS (
        SELECT owner, sum(amount) AS claim
          FROM (SELECT owner, gross_amount AS amount FROM derived.redemption_requests WHERE closed_at IS NULL
                UNION ALL
                SELECT request.owner,
                       CASE later.event WHEN 'RedemptionRequested' THEN -1 ELSE 1 END * request.gross_amount
                  FROM later JOIN derived.redemption_requests AS request ON request.request_id = later.request_id
                 WHERE later.contract = 'RedemptionManager'
                   AND later.event IN ('RedemptionRequested', 'RedemptionSettled', 'RedemptionCancelled',
                                       'RedemptionRejected')) AS steps
         GROUP BY owner
    ), held AS (
        SELECT now.holder, now.since, now.shares - COALESCE(moved.shares, 0) AS shares,
               now.locked_shares - COALESCE(moved.locked_shares, 0) AS locked_shares
          FROM derived.holdings AS now LEFT JOIN moved ON moved.holder = now.holder
         WHERE now.holder <> :nobody
    ), registered AS (
        SELECT held.holder, held.since, held.locked_shares, COALESCE(claims.claim, 0) AS claim,
               CASE WHEN held.holder = vault.address
                    THEN GREATEST(held.shares - (SELECT sum(locked_shares) FROM held), 0) ELSE held.shares END AS shares
          FROM held
          LEFT JOIN claims ON claims.owner = held.holder
          LEFT JOIN derived.tracked_contracts AS vault ON vault.contract = 'Vault'
    ), positions AS MATERIALIZED (
        SELECT * FROM registered WHERE shares > 0 OR locked_shares > 0
    )
    SELECT totals.*, page.*
      FROM (SELECT count(*) FILTER (WHERE CAST(:holder AS bytea) IS NULL OR holder = :holder) AS total,
                   COALESCE(sum(shares + locked_shares), 0) AS supply FROM positions) AS totals
      LEFT JOIN (SELECT * FROM positions
                  WHERE CAST(:holder AS bytea) IS NULL OR holder = :holder
                  ORDER BY shares + locked_shares DESC, holder LIMIT :limit OFFSET :offset) AS page ON TRUE
     ORDER BY page.shares + page.locked_shares DESC, page.holder
""")

_OFFSET_MAX: Final = 2**62
"""PostgreSQL's offsets have 64 bits; a page may be asked for that lies beyond."""


async def list_holders(session: ReadSession, page: PageRequest, *, block: int | None, holder: Address | None) -> HolderList:
    """Everyone with shares at the block, or the one asked for.

    Raises:
        NothingRecordedYet, BlockNotRecorded.
    """
    at = await get_recorded_block(session, block)
    values: dict[str, Any] = {"block": at.number, "holder": holder, "nobody": ZERO_ADDRESS}
    window = {"limit": page.size, "offset": min(page.offset, _OFFSET_MAX)}
    rows = (await session.execute(_HOLDERS, values | window)).all()
    found = [
        RegisteredHolder(
            Address(bytes(row.holder)),
            RawAmount(int(row.shares)),
            RawAmount(int(row.locked_shares)),
            RawAmount(int(row.claim)),
            row.since.astimezone(UTC),
        )
        for row in rows
        if row.holder is not None  # past the end there are the totals alone
    ]
    snapshot = await (find_newest_snapshot(session) if block is None else find_kept_snapshot(session, at.number))
    return HolderList(at, RawAmount(int(rows[0].supply)), snapshot, Page(found, rows[0].total, page))
