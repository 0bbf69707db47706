"""Alert rules and the dashboard as data: each expression with the metrics and labels it relies on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
import yaml
from tests.support.paths import DEPLOY

RULES: Final = DEPLOY / "prometheus" / "rules.yml"
DASHBOARD: Final = DEPLOY / "grafana" / "paimon.json"

_OF_PROMETHEUS: Final = frozenset({"instance", "job", "le"})
_METRIC: Final = re.compile(r"\b(paimon_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPED: Final = re.compile(r"\bby\s*\(([^)]*)\)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")


@dataclass(frozen=True)
class MetricReference:
    """A metric that an expression reads, the labels it selects or groups it by, and the values it names."""

    metric: str
    labels: frozenset[str]
    values: tuple[tuple[str, str], ...]


def rules() -> list[dict[str, Any]]:
    """Return every alert rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    """Return the expression of every panel."""
    board = orjson.loads(DASHBOARD.read_bytes())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def metric_references(expression: str) -> Iterator[MetricReference]:
    """Yield every metric that an expression reads."""
    grouped = [({label.strip() for label in labels.split(",")}, inner) for labels, inner in _GROUPED.findall(expression)]
    for metric, selector in _METRIC.findall(expression):
        matchers = _MATCHER.findall(selector)
        by = {label for labels, inner in grouped if metric in inner for label in labels}
        named = {label for label, _, _ in matchers}
        values = tuple((label, value) for label, sign, value in matchers if sign in ("=", "=~"))
        yield MetricReference(metric, frozenset((by | named) - _OF_PROMETHEUS), values)
