"""Log an outage as one line with a count, not as one line per attempt that it spoils.

outage.began      the first failure, with its reason
outage.continues  once a minute while it lasts, with the failures so far
outage.ended      when everything that failed works again, with all failures and the seconds
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

log = structlog.get_logger(__name__)

REPEAT_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Outage:
    began: float
    logged: float
    failures: int = 0
    failing: set[str] = field(default_factory=set)


class Outages:
    """The open outages of this process, by service. Safe to use from several threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, _Outage] = {}

    def record_failure(self, service: str, reason: str, *, task: str) -> None:
        """Count a failure of a task or loop because the service is away."""
        with self._lock:
            now = self._clock()
            is_new = service not in self._open
            outage = self._open.setdefault(service, _Outage(now, now))
            outage.failures += 1
            outage.failing.add(task)
            if is_new:
                log.warning("outage.began", service=service, task=task, reason=reason)
            elif now - outage.logged >= REPEAT_SECONDS:
                outage.logged = now
                log.warning(
                    "outage.continues",
                    service=service,
                    failures=outage.failures,
                    seconds=round(now - outage.began),
                    tasks=sorted(outage.failing),
                    reason=reason,
                )

    def record_success(self, task: str) -> None:
        """End the outages of which this was the last failing task."""
        if not self._open:
            return
        with self._lock:
            for service, outage in list(self._open.items()):
                outage.failing.discard(task)
                if not outage.failing:
                    del self._open[service]
                    seconds = round(self._clock() - outage.began, 1)
                    log.info("outage.ended", service=service, failures=outage.failures, seconds=seconds)
