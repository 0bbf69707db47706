"""Answers of any shape: each request gets a result of its method's type or an error, or the body is unreadable."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.infrastructure.blockchain.rpc.read_answers import (
    UnreadableAnswer,
    data_pause_seconds,
    header_pause_seconds,
    read_answers,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METHODS = ("eth_blockNumber", "eth_getBalance", "eth_call", "eth_getLogs", "eth_getBlockByNumber")
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["0x", "0x1", "1", "2"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
KEYS = st.sampled_from(["id", "result", "error", "message", "code", "data"])
ANSWERS = st.dictionaries(KEYS, JSON, max_size=4)


@given(ANSWERS | st.lists(ANSWERS, max_size=4) | JSON, st.lists(st.sampled_from(METHODS), min_size=1, max_size=4))
def test_any_body_gives_typed_results_errors_or_is_unreadable(content: Any, methods: list[str]) -> None:
    try:
        answers = read_answers(content, range(1, len(methods) + 1), methods)
    except UnreadableAnswer:
        return
    assert len(answers) == len(methods)
    for method, answer in zip(methods, answers, strict=True):
        if answer.get("error") is None:
            result = answer["result"]
            if method == "eth_getLogs":
                assert isinstance(result, list)
            elif method != "eth_getBlockByNumber":
                assert result.startswith("0x")
                assert result == "0x" or int(result, 16) >= 0


@given(st.integers(2, 9))
def test_result_of_one_call_never_stands_for_a_batch(requested: int) -> None:
    with pytest.raises(UnreadableAnswer, match="in part"):
        read_answers({"id": 1, "result": "0x1"}, range(1, requested + 1), ["eth_blockNumber"] * requested)


@given(JSON | st.dictionaries(st.sampled_from(["rate", "backoff_seconds"]), JSON | st.floats(), max_size=2))
def test_pause_in_any_error_data_is_no_time_or_positive(data: Any) -> None:
    found = data_pause_seconds([{"error": {"data": data}}, {"error": "text"}, 5])
    assert found is None or 0 <= found < float("inf")


@given(st.text(max_size=40) | st.floats().map(str))
def test_pause_in_any_header_is_no_time_or_positive(value: str) -> None:
    found = header_pause_seconds(value, NOW)
    assert found is None or 0 <= found < float("inf")


@given(st.integers(0, 10**6))
def test_pause_is_read_as_seconds_and_as_date(seconds: int) -> None:
    assert header_pause_seconds(str(seconds), NOW) == seconds
    assert header_pause_seconds(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == seconds
    assert data_pause_seconds({"error": {"data": {"rate": {"backoff_seconds": seconds}}}}) == seconds
