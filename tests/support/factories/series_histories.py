"""Synthetic time series over years: the rows of kept snapshots and of the listener's batches."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tests.support.factories.snapshots import position, snapshot

from paimon.application.event_listener.record.store import add_batch
from paimon.application.nav.history import Interval
from paimon.application.nav.series import asset_rows, fund_row
from paimon.application.nav.stored_snapshot import to_stored_json
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.database.upsert import upsert

Row = dict[str, Any]


def kept_snapshots(until: datetime, *, days: int, seed: int) -> list[FundSnapshot]:
    """Build one to three snapshots a day at random times, oldest first, of a fund whose cash varies."""
    rng, cash = random.Random(seed), 10**7 * WAD
    first = datetime.combine(until.date() - timedelta(days=days), datetime.min.time(), UTC)
    times = sorted(
        {
            first + timedelta(days=day, microseconds=rng.randrange(86_400_000_000))
            for day in range(days)
            for _ in range(rng.randint(1, 3))
        }
    )
    taken = []
    for number, time in enumerate(times, start=1):
        cash += rng.randint(-(10**4), 10**4) * WAD
        at = BlockStamp(number, Hash32(number.to_bytes(32, "big")), time)
        plain = snapshot(at=at, cash=RawAmount(cash), assets=(position(1), position(2)))
        contract = replace(plain.contract, layer2=plain.tier_assets(Tier.L2))
        taken.append(replace(plain, contract=contract))
    return taken


async def insert_snapshots(session: WriteSession, taken: Sequence[FundSnapshot]) -> None:
    await upsert(session, DailySnapshotRow, [fund_row(snapshot) for snapshot in taken])
    await upsert(session, AssetHoldingSnapshotRow, [row for snapshot in taken for row in asset_rows(snapshot)])


def snapshot_observation(taken: FundSnapshot) -> ObservationRow:
    """Build the observation that a kept snapshot's rows derive from."""
    return ObservationRow(
        kind="fund_snapshot",
        subject="fund",
        block_number=taken.at.number,
        block_hash=taken.at.hash,
        block_timestamp=taken.at.timestamp,
        data=to_stored_json(taken),
    )


def insert_reconciliation(session: WriteSession, last: FundSnapshot) -> None:
    """Insert a reconciliation without discrepancies at this snapshot's block, with the snapshot's observation."""
    session.add(snapshot_observation(last))
    session.add(ReconciliationRow(block_number=last.at.number, block_hash=last.at.hash, figures_compared=1, discrepancies=[]))


_BUCKET_OF: Final = {
    Interval.HOURLY: lambda at: at.replace(minute=0, second=0, microsecond=0),
    Interval.DAILY: lambda at: at.date(),
    Interval.WEEKLY: lambda at: at.date() - timedelta(days=at.weekday()),
}


def last_of_each(taken: Iterable[FundSnapshot], interval: Interval) -> list[FundSnapshot]:
    """Return what a history of this interval shows, found by a scan of every snapshot."""
    return list({_BUCKET_OF[interval](snapshot.at.timestamp): snapshot for snapshot in taken}.values())


def batches(until: datetime, *, days: int, count: int, seed: int) -> list[Row]:
    """Build the listener's rows at random times, so that they come in no order."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        logs = rng.randint(0, 40)
        blocks = rng.randint(1, 200)
        time = until - timedelta(microseconds=rng.randrange(days * 86_400_000_000))
        rows.append(
            {
                "time": time,
                "first_block": number * 1_000,
                "last_block": number * 1_000 + blocks - 1,
                "last_block_at": time - timedelta(seconds=2),
                "logs": logs,
                "quarantined": rng.randint(0, logs),
                "lag_blocks": rng.randint(0, 500),
                "fetch_us": rng.randint(0, 10**7),
                "record_us": rng.randint(0, 10**6),
            }
        )
    return rows


def hours_of(rows: Iterable[Row]) -> dict[datetime, Row]:
    """Sum the rows by hour, one row at a time."""
    hours: dict[datetime, Row] = {}
    for row in rows:
        hour = row["time"].replace(minute=0, second=0, microsecond=0)
        known = hours.setdefault(
            hour,
            dict.fromkeys(
                ("batches", "blocks", "logs", "quarantined", "lag_blocks_max", "fetch_us", "record_us", "record_us_max"), 0
            ),
        )
        known["batches"] += 1
        known["blocks"] += row["last_block"] - row["first_block"] + 1
        for name in ("logs", "quarantined", "fetch_us", "record_us"):
            known[name] += row[name]
        known["lag_blocks_max"] = max(known["lag_blocks_max"], row["lag_blocks"])
        known["record_us_max"] = max(known["record_us_max"], row["record_us"])
    return hours


def risk_metrics(until: datetime, *, days: int, count: int, seed: int) -> list[Row]:
    """Build values of two indicators at random times, in no order; some are infinite."""
    rng = random.Random(seed)
    return [
        {
            "time": until - timedelta(microseconds=rng.randrange(days * 86_400_000_000)),
            "indicator": rng.choice(("l1_ratio", "rcr_7d")),
            "block_number": number,
            "value": Decimal("Infinity") if rng.random() < 0.01 else Decimal(rng.randrange(10**13)).scaleb(-12),
            "level": "NORMAL",
            "threshold_version": "0123456789ab",
        }
        for number in range(count)
    ]


def hours_of_metrics(rows: Iterable[Row]) -> dict[tuple[datetime, str], Row]:
    """Sum the values by hour and indicator, one value at a time."""
    hours: dict[tuple[datetime, str], list[Row]] = {}
    for row in rows:
        hour = row["time"].replace(minute=0, second=0, microsecond=0)
        hours.setdefault((hour, row["indicator"]), []).append(row)
    return {
        key: {
            "samples": len(values),
            "minimum": min(row["value"] for row in values),
            "maximum": max(row["value"] for row in values),
            "total": sum(row["value"] for row in values),
            "last_value": max(values, key=lambda row: row["time"])["value"],
            "last_at": max(row["time"] for row in values),
        }
        for key, values in hours.items()
    }


async def insert_batches(session: WriteSession, rows: Iterable[Row]) -> None:
    for row in rows:
        await add_batch(session, row)
