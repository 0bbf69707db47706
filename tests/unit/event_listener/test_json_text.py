"""The arguments' JSON text: a comparison of texts must mean the same as a comparison of values."""

from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.application.event_listener.record.json_text import json_text
from paimon.infrastructure.blockchain.abi.contract_abi import to_json_value

pytestmark = pytest.mark.unit

NAMES: Final = st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), min_size=1)
WORDS: Final = st.one_of(
    st.booleans(), st.integers(0, 2**256 - 1), st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32)
)
OTHERS: Final = st.one_of(st.none(), st.text(), st.lists(WORDS), st.dictionaries(NAMES, WORDS))


@given(st.dictionaries(NAMES, WORDS, min_size=1))
def test_json_text_parses_to_the_values(values: dict[str, Any]) -> None:
    text = json_text(values)
    assert text is not None
    assert orjson.loads(text) == to_json_value(values)


@given(st.dictionaries(NAMES, WORDS), NAMES, OTHERS)
def test_json_text_is_none_for_other_value_types(values: dict[str, Any], name: str, other: object) -> None:
    assert json_text(values | {name: other}) is None


def test_json_text_is_none_without_values() -> None:
    assert json_text(None) is None
    assert json_text({}) is None
