"""Tests of the alert rules: each has a runbook section. Prometheus' own tests of them run with the integration tests."""

import re

import pytest
from tests.support.assertions.alert_rules import metric_references, rules
from tests.support.paths import DOCS, ROOT

pytestmark = pytest.mark.unit

RUNBOOK = DOCS / "operations" / "runbook.md"


def test_every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() -> None:
    sections = set(re.findall(r"^### (Paimon\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE))
    assert sections == {rule["alert"] for rule in rules()}


def test_no_two_rules_share_a_name_and_a_severity() -> None:
    """An alert may have a rule for each severity; two of one name and severity would be silenced together."""
    names = [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]
    assert [name for name in names if names.count(name) > 1] == []


def test_every_alert_has_a_severity_and_a_summary() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_every_runbook_url_leads_to_the_alerts_section_of_the_runbook() -> None:
    """A path in the repository, after the address that an external label of Prometheus gives."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    for rule in rules():
        prefix, _, path = rule["annotations"]["runbook_url"].partition("}}")
        page, _, anchor = path.partition("#")
        assert prefix == "{{ $externalLabels.paimon_docs ", rule["alert"]
        assert ROOT / page == RUNBOOK, rule["alert"]
        assert anchor == rule["alert"].lower(), rule["alert"]
        assert anchor in anchors, rule["alert"]


def test_no_alert_sums_gauges_over_processes() -> None:
    """Every process reports the same figures of the system."""
    for rule in rules():
        for reference in metric_references(rule["expr"]):
            is_counter = reference.metric.endswith("_total")
            assert is_counter or "sum(" not in rule["expr"], rule["alert"]
