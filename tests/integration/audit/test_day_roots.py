"""Day roots: the tree's root of each ended day goes to the object storage once, and shows a trail that was made anew."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.s3 import serving_s3

from paimon.application.audit.day_roots import store_day_roots
from paimon.application.audit.queries import export_lines
from paimon.application.audit.seal import TreeDiffers, seal
from paimon.application.monitoring.component_health import auditor_health
from paimon.application.monitoring.queries import query_figures
from paimon.domain.audit.day_root import DayRoot, parse_day_root
from paimon.domain.kernel.chain import Hash32, parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.operations.health import HealthStatus
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, try_acquire
from paimon.infrastructure.database.models.ops.audit import AuditDayRootRow, AuditRootRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.storage.objects import ObjectExists, ObjectStorage, StorageUnavailable
from paimon.settings import Settings

pytestmark = pytest.mark.integration

SCOPE = SigningScope(31337, parse_address("0x" + "11" * 20))


@pytest.fixture
async def lease(database: Database) -> HeldLease:
    held = await try_acquire(database, "auditor", "tests", ttl_seconds=600)
    assert held is not None
    return held


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with serving_s3() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    """Return a storage of one kind, empty for this test."""
    base = f"file://{tmp_path}" if request.param == "folder" else request.getfixturevalue("s3_url")
    return ObjectStorage(f"{base}/{tmp_path.name}", timeout_seconds=20)


@pytest.fixture
def folder(tmp_path: Path) -> ObjectStorage:
    return ObjectStorage(f"file://{tmp_path}/objects", timeout_seconds=20)


async def seal_one(database: Database, lease: HeldLease, number: int, *, days_ago: int = 0) -> None:
    """Write one audited row and seal it, as if on an earlier day."""
    async with database.write() as session:
        await session.execute(
            text(
                "INSERT INTO ops.operator_decisions (kind, outbox_id, problem, reason, requested_by)"
                " VALUES ('replay_message', :number, 'it failed', 'mended', :by)"
            ),
            {"number": number, "by": bytes([number]) * 20},
        )
    assert await seal(database, lease, entries_max=10) == 1
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(
            text("UPDATE ops.audit_roots SET sealed_at = sealed_at - make_interval(days => :days) WHERE size = :size"),
            {"days": days_ago, "size": number},
        )


def ago(days: int) -> date:
    return (datetime.now(UTC) - timedelta(days=days)).date()


async def stored_days(database: Database) -> list[date]:
    async with database.read() as session:
        return list(await session.scalars(select(AuditDayRootRow.day).order_by(AuditDayRootRow.day)))


async def health(database: Database) -> tuple[HealthStatus, str]:
    async with database.read() as session:
        component = auditor_health(await query_figures(session))
    return component.status, component.summary


async def root_at(database: Database, size: int) -> Hash32:
    async with database.read() as session:
        row = await session.get(AuditRootRow, size)
    assert row is not None
    return Hash32(row.root)


async def test_object_is_written_once_and_read_back(objects: ObjectStorage) -> None:
    assert await objects.find("a/b.json") is None
    writers = await asyncio.gather(*(objects.create("a/b.json", b"%d" % n) for n in range(4)), return_exceptions=True)
    assert [type(result) for result in writers].count(ObjectExists) == 3
    first = writers.index(None)
    with pytest.raises(ObjectExists):
        await objects.create("a/b.json", b"other")
    assert await objects.find("a/b.json") == b"%d" % first


@pytest.mark.parametrize("url", ["file:///proc/nowhere", "s3://evidence/paimon"])
async def test_storage_that_does_not_answer_says_where_and_why(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ENDPOINT_URL": "http://127.0.0.1:9", "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    objects = ObjectStorage(url, timeout_seconds=0.5)
    for attempt in (objects.create("a.json", b"x"), objects.find("a.json")):
        with pytest.raises(StorageUnavailable, match=f"^{url}/a.json: ") as refused:
            await attempt
        assert "a secret" not in str(refused.value)


async def test_each_ended_day_is_stored_once_also_one_without_entries(
    database: Database, lease: HeldLease, objects: ObjectStorage
) -> None:
    assert await store_day_roots(database, lease, objects, SCOPE) == 0
    for number, days_ago in ((1, 4), (2, 4), (3, 2), (4, 0)):
        await seal_one(database, lease, number, days_ago=days_ago)
    status, summary = await health(database)
    assert status is HealthStatus.DEGRADED
    assert summary.endswith("day roots of the audit trail are not in the object storage")
    assert await store_day_roots(database, lease, objects, SCOPE) == 4
    assert await store_day_roots(database, lease, objects, SCOPE) == 0
    assert await stored_days(database) == [ago(4), ago(3), ago(2), ago(1)]
    assert await health(database) == (HealthStatus.OK, "running")
    for days_ago, size in ((4, 2), (3, 2), (2, 3), (1, 3)):
        expected = DayRoot(SCOPE.chain_id, SCOPE.redemption_manager, ago(days_ago), size, await root_at(database, size))
        content = await objects.find(expected.key)
        assert content is not None
        assert parse_day_root(content) == expected


async def test_stored_object_without_its_row_counts_if_it_is_the_same(
    database: Database, lease: HeldLease, folder: ObjectStorage
) -> None:
    """The auditor ended between the object and the row."""
    await seal_one(database, lease, 1, days_ago=1)
    root = DayRoot(SCOPE.chain_id, SCOPE.redemption_manager, ago(1), 1, await root_at(database, 1))
    await folder.create(root.key, root.content())
    assert await store_day_roots(database, lease, folder, SCOPE) == 1
    assert await stored_days(database) == [ago(1)]


async def test_auditor_stops_where_the_storage_has_another_root(
    database: Database, lease: HeldLease, folder: ObjectStorage
) -> None:
    await seal_one(database, lease, 1, days_ago=1)
    other = DayRoot(SCOPE.chain_id, SCOPE.redemption_manager, ago(1), 1, Hash32(b"\x07" * 32))
    await folder.create(other.key, other.content())
    with pytest.raises(TreeDiffers, match="has another root"):
        await store_day_roots(database, lease, folder, SCOPE)
    assert await stored_days(database) == []


async def test_auditor_stops_where_the_tree_lost_the_last_day_root(
    database: Database, lease: HeldLease, folder: ObjectStorage
) -> None:
    await seal_one(database, lease, 1, days_ago=2)
    await store_day_roots(database, lease, folder, SCOPE)
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("UPDATE ops.audit_roots SET root = sha256('other')"))
    with pytest.raises(TreeDiffers, match=r"on .* it was another"):
        await store_day_roots(database, lease, folder, SCOPE)


async def test_auditor_without_the_lease_records_no_day(database: Database, lease: HeldLease, folder: ObjectStorage) -> None:
    await seal_one(database, lease, 1, days_ago=1)
    async with database.write() as session:
        await session.execute(text("UPDATE ops.leases SET epoch = epoch + 1"))
    with pytest.raises(LeaseLost):
        await store_day_roots(database, lease, folder, SCOPE)
    assert await stored_days(database) == []


async def test_running_auditor_stores_days_once_the_storage_is_there(
    settings: Settings, database: Database, lease: HeldLease, tmp_path: Path
) -> None:
    """A file stands where the folder should be; it goes while the auditor runs."""
    await seal_one(database, lease, 1, days_ago=1)
    async with database.write() as session:
        await session.execute(text("DELETE FROM ops.leases"))
    in_the_way = tmp_path / "kept"
    in_the_way.write_text("")
    options = {"PAIMON_STORAGE__URL": f"file://{in_the_way}/objects", "PAIMON_AUDIT__DAY_ROOT_SECONDS": "0.1"}
    with CliRunner() as cli:
        auditor = cli.start("auditor", env=environment_of(settings) | options)
        await asyncio.to_thread(auditor.wait_for_output, "audit.day_root_not_stored")
        in_the_way.unlink()
        await asyncio.to_thread(auditor.wait_for_output, "audit.day_root_stored")
        auditor.terminate()
        assert auditor.wait() == 0
    assert await stored_days(database) == [ago(1)]
    assert len(list(in_the_way.rglob("*.json"))) == 1


async def test_outsider_compares_an_export_with_day_roots(
    settings: Settings, database: Database, lease: HeldLease, tmp_path: Path
) -> None:
    """A trail that someone made anew agrees with itself, and not with the day roots."""
    for number in range(1, 4):
        await seal_one(database, lease, number)
    async with database.read() as session:
        lines = [line async for line in export_lines(session, SCOPE)]
    export, kept = tmp_path / "trail.jsonl.gz", tmp_path / "kept"
    export.write_bytes(gzip.compress("\n".join(lines).encode()))
    for size, day in ((1, date(2026, 1, 1)), (3, date(2026, 1, 3))):
        root = DayRoot(SCOPE.chain_id, SCOPE.redemption_manager, day, size, await root_at(database, size))
        file = kept / root.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(root.content())
    last = kept / root.key
    with CliRunner() as cli:

        def verify(*options: str) -> tuple[int, str]:
            run = cli.start("audit", "verify", str(export), *options, env={})
            return run.wait(), run.output_text

        code, output = verify("--day-roots", str(kept))
        assert code == 0, output
        assert "2 day roots compared, 2026-01-01 to 2026-01-03" in output
        assert "no day root was given for 1 day between them" in output
        changed = json.loads(last.read_bytes()) | {"root": "0x" + "07" * 32}
        last.write_text(json.dumps(changed))
        code, output = verify("--day-roots", str(last))
        assert code == 1
        assert "not those of the root that you trust" in output
        last.write_text(json.dumps(changed | {"chainId": 56}))
        code, output = verify("--day-roots", str(kept))
        assert code == 1
        assert "not the export's" in output
        last.write_text("{}")
        code, output = verify("--day-roots", str(kept))
        assert code == 2
        assert "does not read: no day root" in output
