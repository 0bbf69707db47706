"""Messages for invalid values of a request. They explain a pattern in words and contain no name of the code."""

import re
from collections.abc import Mapping
from typing import Any, Final

REQUEST_ID: Final = "^[0-9]{1,78}$"
ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*$"
TICKET_ID: Final = "^TKT-[A-Za-z0-9-]{1,90}$"
EVENT_NAME: Final = "^[A-Za-z_$][A-Za-z0-9_$]{0,99}$"

_PATTERNS: Final[Mapping[str, str]] = {
    REQUEST_ID: "must be a decimal number of at most 78 digits, like a request's id",
    ONE_LINE: "must be one line of text, without line breaks and other control characters",
    TICKET_ID: "must be a ticket's id: TKT- followed by letters, digits and hyphens, at most 90",
    EVENT_NAME: "must be an event's name: letters, digits, _ and $, no digit first, at most 100",
}
_ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")
"""A member of an enum in Python's repr."""


def describe_problem(problem: Mapping[str, Any]) -> str:
    """Describe one problem that pydantic or FastAPI reported."""
    message, context = str(problem["msg"]), problem.get("ctx") or {}
    match problem["type"]:
        case "string_pattern_mismatch":
            return _PATTERNS.get(context["pattern"], message)
        case "json_invalid":
            return f"the body is not JSON: {context['error']}, at character {problem['loc'][-1]}"
        case "enum" | "literal_error":
            return "must be " + _ENUM_MEMBER.sub(r"\1", context["expected"])
    return message.removeprefix("Value error, ")
