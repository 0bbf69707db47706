"""structlog set-up: one JSON object a line, ids as fields, no secret ever."""

import logging
import re
import sys
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET_NAMES: Final = re.compile(r"secret|password|private_key|mnemonic|token$|^raw$|authorization", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(r"(://[^:/@\s]*:)[^/\s]+@")


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank fields named like a secret, and passwords inside URLs, however deep they sit."""
    for key, value in event.items():
        event[key] = _blanked(key, value)
    return event


def _blanked(key: str, value: Any) -> Any:
    if _SECRET_NAMES.search(key):
        return "***"
    match value:
        case str():
            return _URL_PASSWORD.sub(r"\1***@", value)
        case dict():
            return {name: _blanked(str(name), each) for name, each in value.items()}
        case list() | tuple():
            return [_blanked("", each) for each in value]
        case BaseException():
            return _blanked("", str(value))
    return value


def configure_logging(*, process: str, level: str = "info", json_lines: bool = True) -> None:
    """Send structlog and the standard library's warnings to stderr in one format."""
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
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_drop_meta, renderer]))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _console() -> structlog.dev.ConsoleRenderer:
    """Lines for people, coloured where one looks on. Tracebacks come formatted, so that they pass `hide_secrets`, and without
    local variables."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _drop_meta(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_logger, _method, event)
