"""Read the body of an HTTP answer as one JSON-RPC answer for each request, in any shape that nodes use.

    one object for a batch        stands for every request
    an id as text                 is the number that it spells
    null for no logs              is an empty list
    neither result nor error      is an error
    a result of another type      is an error, for methods whose result has one type

An error that is made here has the code 0, which no rule knows: such an answer is the node's failure
(`domain/chain/rpc_error_rules`).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

from paimon.domain.chain.rpc_error_rules import GET_LOGS

Answer = dict[str, Any]

_HEX: Final = re.compile(r"0x[0-9a-fA-F]*")
_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]+")
_QUANTITY_METHODS: Final = frozenset(
    {
        "eth_blockNumber",
        "eth_chainId",
        "eth_estimateGas",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_maxPriorityFeePerGas",
    }
)
_NO_RESULT: Final = "the answer has neither result nor error"


class UnreadableAnswer(ValueError):
    """The body is no JSON-RPC, or does not answer every request."""


def read_answers(content: Any, ids: Sequence[int], methods: Sequence[str]) -> list[Answer]:
    """Return the answers in the order of the requests. Raises UnreadableAnswer."""
    answers = content if isinstance(content, list) else [content]
    if not all(isinstance(entry, dict) for entry in answers):
        raise UnreadableAnswer("a body that is no JSON-RPC")
    if len(answers) == 1 and _stands_for_all(content, answers[0], len(ids)):
        return [_readable(method, answers[0]) for method in methods]
    by_id = {_number(entry.get("id")): entry for entry in answers}
    if any(id_ not in by_id for id_ in ids):
        raise UnreadableAnswer("the batch was answered in part")
    return [_readable(method, by_id[id_]) for id_, method in zip(ids, methods, strict=True)]


def _stands_for_all(content: Any, answer: Answer, requested: int) -> bool:
    """Return whether the one answer is for all requests: an error may stand for the whole batch."""
    return bool(answer.get("error")) or (isinstance(content, dict) and (requested == 1 or "result" not in answer))


def _number(id_: Any) -> int | None:
    if isinstance(id_, str) and id_.isascii() and id_.isdigit():
        return int(id_)
    return id_ if isinstance(id_, int) and not isinstance(id_, bool) else None


def _readable(method: str, answer: Answer) -> Answer:
    """Return the answer with a result of the method's type, or with an error."""
    if answer.get("error") is not None:
        return answer
    if "result" not in answer:
        return answer | {"error": {"code": 0, "message": _stated_reason(answer) or _NO_RESULT}}
    result = answer["result"]
    if method == GET_LOGS and result is None:
        return answer | {"result": []}
    return answer if _has_right_type(method, result) else _with_error(answer, f"the result is not one of {method}")


def _has_right_type(method: str, result: Any) -> bool:
    if method in _QUANTITY_METHODS:
        return isinstance(result, str) and _QUANTITY.fullmatch(result) is not None
    if method == "eth_call":
        return isinstance(result, str) and _HEX.fullmatch(result) is not None
    return method != GET_LOGS or isinstance(result, list)


def _with_error(answer: Answer, message: str) -> Answer:
    return {key: value for key, value in answer.items() if key != "result"} | {"error": {"code": 0, "message": message}}


def _stated_reason(answer: Answer) -> str:
    """Return the message of a gateway that answers in its own shape."""
    return next((text for key in ("message", "detail", "reason") if isinstance(text := answer.get(key), str)), "")


# ----------------------------------------------------------------------------------------- pauses that an endpoint asks for


def header_pause_seconds(value: str | None, now: datetime) -> float | None:
    """Read `Retry-After`: seconds, or a date. None without one that is readable."""
    if value is None:
        return None
    try:
        return _seconds(float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds(), 0.0)


def data_pause_seconds(content: Any) -> float | None:
    """Find the longest `backoff_seconds` in the data of the errors. None without one."""
    answers = content if isinstance(content, list) else [content]
    errors = [answer["error"] for answer in answers if isinstance(answer, Mapping) and isinstance(answer.get("error"), Mapping)]
    found = [seconds for error in errors if (seconds := _backoff_seconds(error.get("data"))) is not None]
    return max(found, default=None)


def _backoff_seconds(data: Any) -> float | None:
    """Look in the data and in what it holds: Infura writes `{"rate": {"backoff_seconds": 30}}`."""
    if not isinstance(data, Mapping):
        return None
    for holder in (data, *(value for value in data.values() if isinstance(value, Mapping))):
        value = holder.get("backoff_seconds")
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _seconds(float(value))
    return None


def _seconds(value: float) -> float | None:
    return value if isfinite(value) and value >= 0 else None
