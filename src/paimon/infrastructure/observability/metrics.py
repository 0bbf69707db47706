"""What this process counts by itself, where it happens. What the database and the chain know is collected when asked for.

Names and units follow Prometheus: a unit at the end, `_total` on what only grows, and labels of few values only.
"""

from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from paimon.infrastructure.database.models.derived import LogStatus

HTTP_REQUESTS: Final = Counter(
    "paimon_http_requests", "Requests answered, by the route's template.", ("method", "route", "status")
)
HTTP_SECONDS: Final = Histogram(
    "paimon_http_request_duration_seconds",
    "Time from a request's head to the last byte of its answer.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

OUTBOX_HANDLED: Final = Counter(
    "paimon_outbox_handled", "Reactions handled; done, failed (tried again) or dead.", ("kind", "outcome")
)
OUTBOX_HANDLER_SECONDS: Final = Histogram(
    "paimon_outbox_handler_duration_seconds",
    "Time one try of a reaction took.",
    ("kind",),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60),
)

LISTENER_BLOCKS: Final = Counter("paimon_listener_blocks", "Final blocks recorded by this process.")
LISTENER_LOGS: Final = Counter("paimon_listener_logs", "Logs recorded by this process, by what became of them.", ("status",))
for _status in LogStatus:
    LISTENER_LOGS.labels(_status.value)  # from zero on: the first one in quarantine must be seen to be one more
LISTENER_SECONDS: Final = Histogram(
    "paimon_listener_batch_duration_seconds",
    "Time to fetch one range of blocks, and to record it.",
    ("step",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
NEW_HEADS_CONNECTED: Final = Gauge(
    "paimon_new_heads_connected", "1 while the subscription to new heads is up; absent where nobody listens.", ("endpoint",)
)

JOBS_ENQUEUED: Final = Counter("paimon_jobs_enqueued", "Jobs by the clock: sent, or refused.", ("task", "outcome"))

SIGNER_REQUESTS: Final = Counter("paimon_signer_requests", "Answers of the signer: signed, or a refusal.", ("outcome",))

_BUILD_INFO: Final = Gauge("paimon_build_info", "1, with the version and what this process is.", ("version", "process"))


def set_build_info(process: str) -> None:
    """Say what this process is."""
    _BUILD_INFO.labels(version("paimon"), process).set(1)
