"""`make check`, which CI runs, runs each check that the pages say it runs."""

import subprocess

import pytest
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def commands() -> str:
    """Return what `make check` would run."""
    return subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "check", "ADVISORIES=all.zip"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize(
    "command",
    [
        "ruff check",
        "ruff format --check",
        "codespell",
        "lint-imports",
        "bin/mypy",
        "matches_code",
        "bandit --quiet",
        "tests.support.secret_scan",
        "tests.support.advisories all.zip",
        "web/scripts/check.mjs",
    ],
)
def test_make_check_runs_every_check_that_the_pages_name(commands: str, command: str) -> None:
    assert command in commands
