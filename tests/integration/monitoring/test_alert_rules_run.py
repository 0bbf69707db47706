"""Prometheus accepts the alert rules, and each fires in the case that their tests describe."""

import subprocess

import pytest
from tests.support.assertions.alert_rules import RULES
from tests.support.debian_programs import promtool

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", RULES.name), ("test", "rules", "rules.test.yml"), ("test", "rules", "rules.days.test.yml")],
    ids=lambda arguments: arguments[-1],
)
def test_promtool_accepts_the_rules_and_their_tests(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([promtool(), *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
