"""Set-up of structlog: one JSON object per line, ids as fields, no secrets."""

import logging
import re
import sys
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET_NAMES: Final = re.compile(r"secret|password|private_key|mnemonic|token$|^raw$|authorization", re.IGNORECASE)
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*://)(\S+)", re.IGNORECASE)
_PATH_KEY: Final = re.compile(r"(?<=/)[\w.~-]{12,}")
"""A part of a path that may be a key, as providers of nodes put it there."""
_QUERY_VALUE: Final = re.compile(r"=[^&]*")


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask fields that are named like a secret, and passwords and keys in URLs, at any depth."""
    for key, value in event.items():
        event[key] = _masked(key, value)
    return event


def _masked(key: str, value: Any) -> Any:
    if _SECRET_NAMES.search(key):
        return "***"
    match value:
        case str():
            return _URL.sub(_masked_url, value)
        case dict():
            return {name: _masked(str(name), item) for name, item in value.items()}
        case list() | tuple():
            return [_masked("", item) for item in value]
        case BaseException():
            return _masked("", str(value))
    return value


def _masked_url(url: re.Match[str]) -> str:
    """Mask the password, long parts of the path, and the values of the query. A password may have any character but space."""
    scheme, rest = url.groups()
    user, at, place = rest.rpartition("@")
    if at:
        name, colon, _password = user.partition(":")
        user = f"{name}:***" if colon else "***"
    address, hash_mark, _fragment = place.partition("#")
    address, question, query = address.partition("?")
    masked = _PATH_KEY.sub("***", address) + question + _QUERY_VALUE.sub("=***", query)
    return scheme + user + at + masked + hash_mark + ("***" if hash_mark else "")


def configure_logging(*, process: str, level: str = "info", json_lines: bool = True) -> None:
    """Send structlog's and the standard library's log lines to stderr in one format."""
    renderer: Any = structlog.processors.JSONRenderer() if json_lines else _console()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[add_library_fields, *shared], pass_foreign_args=True, processors=[_drop_meta, renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def _console() -> structlog.dev.ConsoleRenderer:
    """Make a renderer of readable lines, coloured on a terminal.

    Tracebacks arrive formatted, so that `hide_secrets` has seen them, and without local variables.
    """
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def add_library_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add what a library's line has in its text only: its logger, and the job that it is about.

    Celery passes the task's fields as `data`, APScheduler its job as an argument.
    """
    record, arguments = event["_record"], event.pop("positional_args", ())
    event["logger"] = record.name
    data = getattr(record, "data", None)
    if isinstance(data, dict) and "name" in data:
        event.update(task=data["name"], task_id=data.get("id"))
    for argument in arguments if isinstance(arguments, tuple) else ():
        if type(argument).__module__ == "apscheduler.job":
            event["task"] = argument.name
    return event


def _drop_meta(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_logger, _method, event)
