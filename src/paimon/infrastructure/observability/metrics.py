"""Metrics that a process counts itself. Metrics about the database and the chain are collected at the time of a scrape.

Names follow Prometheus: the unit at the end, `_total` on counters, and labels with few values only.
"""

from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from paimon.domain.events.log_status import LogStatus
from paimon.domain.operations.rate_limit import LimitGroup, WithoutCount
from paimon.domain.operations.refusals import CallerRefusal, ContentUse, RefusalReason, UnsignedRow
from paimon.domain.rebalance.buffer import PlannerLook

HTTP_REQUESTS: Final = Counter("paimon_http_requests", "HTTP requests by route template.", ("method", "route", "status"))
HTTP_SECONDS: Final = Histogram(
    "paimon_http_request_duration_seconds",
    "Time from a request's head to the last byte of its response.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

HTTP_CONNECTIONS_REFUSED: Final = Counter(
    "paimon_http_connections_refused",
    "Connections that the API's server refused or ended, by the limit they passed.",
    ("limit",),
)
REQUESTS_NOT_COUNTED: Final = Counter(
    "paimon_requests_not_counted",
    "Requests that Redis did not count for all replicas together, by limit, and what became of them: serve or refuse.",
    ("limit", "effect"),
)
REFUSALS_NOT_RECORDED: Final = Counter(
    "paimon_refusals_not_recorded", "Refusals of permission beyond those of a person that the audit trail records."
)
OUTBOX_HANDLED: Final = Counter(
    "paimon_outbox_handled",
    "Outbox messages handled, by outcome: done, failed (to be retried) or dead_lettered.",
    ("kind", "outcome"),
)
OUTBOX_HANDLER_SECONDS: Final = Histogram(
    "paimon_outbox_handler_duration_seconds",
    "Time of one attempt to handle an outbox message.",
    ("kind",),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60),
)

LISTENER_BLOCKS: Final = Counter("paimon_listener_blocks", "Final blocks recorded by this process.")
LISTENER_LOGS: Final = Counter("paimon_listener_logs", "Logs recorded by this process, by status.", ("status",))
for _status in LogStatus:
    LISTENER_LOGS.labels(_status.value)  # start at zero, so that the first quarantined log shows as an increase
LISTENER_SECONDS: Final = Histogram(
    "paimon_listener_batch_duration_seconds",
    "Time to fetch one range of blocks, and to record it.",
    ("step",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
NEW_HEADS_CONNECTED: Final = Gauge(
    "paimon_new_heads_connected",
    "1 while the subscription to new heads is up; absent in processes that do not subscribe.",
    ("endpoint",),
)

JOBS_ENQUEUED: Final = Counter("paimon_jobs_enqueued", "Scheduled jobs by outcome: sent or refused.", ("task", "outcome"))

PLANNER_LOOKS: Final = Counter("paimon_planner_looks", "Looks of the planner at the fund, by what came of each.", ("outcome",))
for _look in PlannerLook:
    PLANNER_LOOKS.labels(_look.value)
PLANNER_LOOKED_AT: Final = Gauge(
    "paimon_planner_looked_at_timestamp_seconds", "When the planner last looked at the fund; 0 for one that stands by."
)

NOTIFICATION_ATTEMPTS: Final = Counter(
    "paimon_notification_attempts",
    "Attempts to hand a notification to its channel, by outcome: accepted, retry or refused.",
    ("channel", "outcome"),
)

SIGNER_REQUESTS: Final = Counter(
    "paimon_signer_requests", "Requests to the signer by outcome: signed, or the code of the refusal.", ("outcome",)
)

REDIS_CONTENT_REFUSED: Final = Counter(
    "paimon_redis_content_refused",
    "Entries, messages and queue items in Redis that no process of ours wrote, by use and reason.",
    ("use", "reason"),
)

UNSIGNED_ROWS: Final = Counter(
    "paimon_unsigned_rows",
    "Rows of the database without the signature of a person who may, each time that one was read and left out, by kind.",
    ("kind",),
)

SIGNER_CONNECTIONS_REFUSED: Final = Counter(
    "paimon_signer_connections_refused",
    "Connections that the signer refused or cut, by reason: an unknown user or certificate, too many, or too slow.",
    ("reason",),
)

for _group in LimitGroup:
    for _effect in WithoutCount:
        REQUESTS_NOT_COUNTED.labels(_group.value, _effect.value)
for _use in ContentUse:
    for _reason in RefusalReason:
        REDIS_CONTENT_REFUSED.labels(_use.value, _reason.value)
for _kind in UnsignedRow:
    UNSIGNED_ROWS.labels(_kind.value)
for _refusal in CallerRefusal:
    SIGNER_CONNECTIONS_REFUSED.labels(_refusal.value)

_BUILD_INFO: Final = Gauge("paimon_build_info", "1, with the version and the kind of process.", ("version", "process"))


def set_build_info(process: str) -> None:
    """Set the build info of this process."""
    _BUILD_INFO.labels(version("paimon"), process).set(1)
