"""The threat model names, for each finding, the tests that do it again: each by its file, and each is there."""

import re
from typing import Final

import pytest
from tests.support.paths import DOCS, ROOT

pytestmark = pytest.mark.unit

FINDINGS: Final = re.findall(
    r"^\| (\d+) \|.*\| ([^|]+) \|$", (DOCS / "concepts" / "threat-model.md").read_text(encoding="utf-8"), flags=re.MULTILINE
)
"""Number and tests of each finding."""


def test_findings_are_numbered_without_a_gap() -> None:
    assert [int(number) for number, _ in FINDINGS] == list(range(1, 28))


@pytest.mark.parametrize(("number", "named"), FINDINGS, ids=[number for number, _ in FINDINGS])
def test_each_finding_has_tests_that_are_in_the_named_files(number: str, named: str) -> None:
    for test in named.split(", "):
        quoted = re.fullmatch(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", test)
        assert quoted is not None, f"finding {number}: {test} names no test by its file"
        path, function = quoted.groups()
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"def {function or 'test_'}{'[(]' if function else ''}", source), f"finding {number}: no {test}"
