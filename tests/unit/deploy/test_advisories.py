"""The offline comparison with advisories finds each pinned version that one is about, and refuses an old list."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.advisories import UnusableList, find_vulnerable, main, read_advisories, read_pins
from tests.support.paths import ROOT

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def advisory(*, name: str = "Some.Package", ecosystem: str = "PyPI", **affected: Any) -> dict[str, Any]:
    package = {"name": name, "ecosystem": ecosystem}
    return {"id": "GHSA-1", "modified": NOW.isoformat(), "affected": [{"package": package, **affected}]}


def between(*events: dict[str, str]) -> dict[str, Any]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}


@pytest.mark.parametrize(
    ("version", "affected", "is_found"),
    [
        ("1.4", between({"introduced": "0"}, {"fixed": "1.5"}), True),
        ("1.5", between({"introduced": "0"}, {"fixed": "1.5"}), False),
        ("1.5rc1", between({"introduced": "0"}, {"fixed": "1.5"}), True),
        ("0.9", between({"introduced": "1.0"}, {"fixed": "1.5"}), False),
        ("2.1", between({"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"last_affected": "2.1"}), True),
        ("2.2", between({"introduced": "2.0"}, {"last_affected": "2.1"}), False),
        ("10.0", between({"introduced": "9.0"}), True),
        ("1.0", {"versions": ["1.0.0"]}, True),
        ("1.1", {"versions": ["1.0", "not a version"]}, False),
    ],
)
def test_version_is_affected_as_the_advisory_says(version: str, affected: dict[str, Any], is_found: bool) -> None:
    assert bool(find_vulnerable({"some-package": version}, [advisory(**affected)])) is is_found


def test_advisory_about_another_package_or_ecosystem_is_no_finding() -> None:
    everything = between({"introduced": "0"})
    others = [advisory(name="other", **everything), advisory(ecosystem="npm", **everything)]
    assert find_vulnerable({"some-package": "1.0"}, others) == []


def test_pins_are_read_from_a_lock_with_extras_markers_and_hashes() -> None:
    lock = "Aiohttp==3.14.5 \\\n    --hash=sha256:ab\npsycopg[binary]==3.3.1 ; python_version >= '3.11'\n# via x==1\n"
    assert read_pins(lock) == {"aiohttp": "3.14.5", "psycopg": "3.3.1"}
    assert len(read_pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))) > 100


def write_export(path: Path, *advisories: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, document in enumerate(advisories):
            archive.writestr(f"{number}.json", json.dumps(document))
    return path


def test_export_is_read_without_what_was_withdrawn(tmp_path: Path) -> None:
    withdrawn = advisory() | {"id": "GHSA-2", "withdrawn": NOW.isoformat()}
    export = write_export(tmp_path / "all.zip", advisory(), withdrawn)
    assert [found["id"] for found in read_advisories(export, now=NOW)] == ["GHSA-1"]


def test_old_empty_or_foreign_list_is_refused(tmp_path: Path) -> None:
    old = write_export(tmp_path / "old.zip", advisory() | {"modified": (NOW - timedelta(days=15)).isoformat()})
    (tmp_path / "text.zip").write_text("no archive")
    for export in (old, write_export(tmp_path / "empty.zip"), tmp_path / "text.zip", tmp_path / "missing.zip"):
        with pytest.raises(UnusableList):
            read_advisories(export, now=NOW)


def test_check_without_a_list_says_that_nothing_was_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make check` always asks, and a missing list passes: CI shall not fail by time, nor look as if it had compared."""
    monkeypatch.chdir(ROOT)
    assert main() == 0
    said = capsys.readouterr()
    assert (said.out, "NOT COMPARED" in said.err) == ("", True)
    assert "@$(BIN)/python -m tests.support.advisories $(ADVISORIES)" in (ROOT / "Makefile").read_text()


def test_check_with_a_list_fails_on_a_finding_and_on_an_unusable_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    now = datetime.now(UTC).isoformat()
    everything = between({"introduced": "0"})
    found, none = (
        write_export(tmp_path / f"{name}.zip", advisory(name=name, **everything) | {"modified": now})
        for name in ("pydantic", "other")
    )
    old = write_export(tmp_path / "old.zip", advisory(**everything) | {"modified": "2026-01-31T00:00:00Z"})
    assert [main(str(found)), main(str(none)), main(str(old))] == [1, 0, 1]
    said = capsys.readouterr()
    assert "pydantic" in said.out
    assert "get a newer export" in said.err
