"""Every alert is one that somebody can act on, and Prometheus understands it."""

import re
import shutil
import subprocess

import pytest
from tests.support.assertions.alert_rules import RULES, requested_by, rules
from tests.support.paths import DOCS

pytestmark = pytest.mark.unit

RUNBOOK = DOCS / "operations" / "runbook.md"


def test_every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() -> None:
    sections = set(re.findall(r"^### (Paimon\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE))
    assert sections == {each["alert"] for each in rules()}


def test_every_alert_says_how_bad_it_is_and_what_it_is_about() -> None:
    for each in rules():
        assert each["labels"]["severity"] in ("warning", "critical"), each["alert"]
        assert each["annotations"]["summary"], each["alert"]


def test_figures_of_the_house_are_never_added_up_over_processes() -> None:
    """Each process tells the same ones."""
    for each in rules():
        for found in requested_by(each["expr"]):
            counted = found.metric.endswith("_total")
            assert counted or "sum(" not in each["expr"], each["alert"]


@pytest.mark.parametrize(
    "words", [("check", "rules", RULES.name), ("test", "rules", "rules.test.yml")], ids=lambda each: each[0]
)
def test_prometheus_takes_the_rules_and_they_fire_when_they_should(words: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NOT TESTED: promtool is not installed here (Debian's package prometheus has it)")
    done = subprocess.run([promtool, *words], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
