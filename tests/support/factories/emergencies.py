"""Recorded states of a fund that is calm or in an emergency, and the cold Safe whose owners sign in a drill."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete
from tests.support.factories.risk_states import holding
from tests.support.factories.rows import insert_row
from tests.support.factories.series_histories import snapshot_observation
from tests.support.factories.snapshots import snapshot, stamp

from paimon.application.fund_risk.assess import assess_risk
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.risk.risk_policy import RiskLevel, RiskPolicy
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.vault.fund_snapshot import OperationalFlags
from paimon.infrastructure.database.models.derived import BlockRow, CursorRow
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.sessions import Database

RECORDED_FROM: Final = datetime.now(UTC).replace(microsecond=0)
"""Time of the block with second 0: an emergency is not left on figures that are old by the database's clock."""
COLD_SAFE: Final = Address(b"\xc0" * 20)
NOTHING_PAUSED: Final = OperationalFlags(
    vault_paused=False, manager_paused=False, controller_paused=False, emergency_mode=False
)


async def record_level(
    database: Database, level: RiskLevel, seconds: int, *, flags: OperationalFlags = NOTHING_PAUSED
) -> RiskLevel:
    """Record a fund that indicates this level, at a block of its own, and assess it; return the level that it has then."""
    await record_fund(database, level, seconds, flags=flags)
    assessed = await assess_risk(database, RiskPolicy(), SigningScope(31337, COLD_SAFE))
    assert assessed is not None
    return assessed.level.level


async def record_fund(database: Database, level: RiskLevel, seconds: int, *, flags: OperationalFlags = NOTHING_PAUSED) -> None:
    """Record a fund that indicates this level, at a block of its own, and assess nothing."""
    part = 10_000 * WAD
    l2_percent = {RiskLevel.NORMAL: 31, RiskLevel.CRITICAL: 4}[level]
    l2 = [holding(1, Tier.L2, l2_percent * part)]
    l3 = [holding(number, Tier.L3, (89 - l2_percent) * part // 4) for number in (3, 4, 5, 6)]
    at = replace(stamp(1_000 + seconds), timestamp=RECORDED_FROM + timedelta(seconds=seconds))
    fund = replace(snapshot(at=at, cash=RawAmount(11 * part), assets=(*l2, *l3)), flags=flags)
    async with database.write() as session:
        block = {"number": at.number, "hash": at.hash, "parent_hash": at.hash, "previous_kept_number": 0}
        await insert_row(session, BlockRow, **block, timestamp=at.timestamp)
        session.add(snapshot_observation(fund))
        await session.execute(delete(CursorRow))
        await insert_row(session, CursorRow, number=at.number, hash=at.hash, timestamp=at.timestamp)


async def record_cold_safe(database: Database, *owners: Address, threshold: int) -> None:
    """Record the cold Safe as a sync finds it."""
    async with database.write() as session:
        await insert_row(
            session,
            SafeRow,
            address=COLD_SAFE,
            name=SafeName.COLD,
            owners=list(owners),
            threshold=threshold,
            nonce=0,
            next_nonce=0,
            seen_block=1,
            seen_hash=Hash32(bytes(32)),
        )
