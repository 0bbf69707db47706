"""The worker's connection to the broker: retried for ever, and an outage is one line with a count."""

import logging
from typing import Any

from celery import Celery, bootsteps
from celery.worker.consumer.consumer import CONNECTION_ERROR, CONNECTION_RETRY

from paimon.infrastructure.observability.outages import Outages

_LOGGER = "celery.worker.consumer.consumer"
_TASK = "consume"


class BrokerLines(logging.Filter):
    """Count Celery's lines about a lost connection instead of writing each: it writes one per try."""

    def __init__(self, outages: Outages) -> None:
        super().__init__()
        self._outages = outages

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        if record.msg != CONNECTION_ERROR and arguments[:1] != (CONNECTION_RETRY,):
            return True
        self._outages.record_failure("broker", str(arguments[1]), task=_TASK)  # in both lines the error stands second
        return False


def log_broker_outages(app: Celery, outages: Outages) -> None:
    """Log each outage of the worker's broker when it begins, while it lasts and when it ends."""

    class BrokerConnected(bootsteps.StartStopStep):  # type: ignore[misc]
        """Step that starts after each connection to the broker."""

        requires = ("celery.worker.consumer.connection:Connection",)

        def start(self, _consumer: Any) -> None:
            outages.record_success(_TASK)

    app.steps["consumer"].add(BrokerConnected)
    logging.getLogger(_LOGGER).addFilter(BrokerLines(outages))
