"""`paimon rebalance simulate` on the command line: its table, its files, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paimon.gateway.cli.rebalance import app

RUN = ("simulate", "--days", "40", "--seed", "7")


def answer(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_table_has_each_way_and_the_same_seed_gives_the_same_table() -> None:
    table = answer(*RUN)
    assert table == answer(*RUN)
    assert "40 days, seed 7" in table
    assert all(way in table for way in ("planner", "cheapest first", "pro rata", "no trades"))
    assert table != answer("simulate", "--days", "40", "--seed", "8")


def test_json_and_csv_have_the_same_runs(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    document = json.loads(answer(*RUN, "--json", "--csv", str(file)))
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == 40 * len(document["ways"])
    for way in document["ways"]:
        own = [row for row in rows if row["way"] == way["way"]]
        assert sum(int(row["trades"]) for row in own) == way["trades"]
        assert own[-1]["total"] == way["finalTotal"]


def test_targets_change_the_result() -> None:
    assert answer(*RUN) != answer(*RUN, "--targets", "12,30,58")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("11,31", "not three percentages"),
        ("11,31,fifty", "not three percentages"),
        ("NaN,31,58", "not three percentages"),
        ("11,31,59", "adds up to 101 %"),
        ("11.005,30.995,58", "finer than a basis point"),
        ("30,31,39", "target of L1, 3000 bps, is outside of 500 to 2000"),
    ],
)
def test_targets_that_are_none_are_refused(targets: str, message: str) -> None:
    result = CliRunner().invoke(app, [*RUN, "--targets", targets])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_file_that_exists_or_cannot_be_written_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    result = CliRunner().invoke(app, [*RUN, "--csv", str(kept)])
    assert (result.exit_code, kept.read_text()) == (2, "mine")
    assert "exists" in result.output
    result = CliRunner().invoke(app, [*RUN, "--csv", str(tmp_path / "no" / "folder.csv")])
    assert result.exit_code == 2
    assert "cannot write" in result.output
