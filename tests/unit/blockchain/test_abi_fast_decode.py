"""The fast ABI decoder: where it returns a result, the general decoder returns the same."""

from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, UndecodableLog, load_abi
from paimon.infrastructure.blockchain.abi.fast_decoder import word_layout

pytestmark = pytest.mark.unit

ABIS: Final = tuple(load_abi(name.value) for name in ContractName)
EVENTS: Final = tuple((abi, topic) for abi in ABIS for topic in abi.events_by_topic)

SMALL_WORDS: Final = st.integers(0, 2**160 - 1).map(lambda number: number.to_bytes(32))
FLAG_WORDS: Final = st.integers(0, 2).map(lambda number: number.to_bytes(32))
WORDS: Final = st.one_of(SMALL_WORDS, FLAG_WORDS, st.binary(min_size=32, max_size=32))


def decoded(abi: ContractAbi, topics: Sequence[bytes], data: bytes) -> Any:
    try:
        return abi.decode_log(topics, data)
    except UndecodableLog as error:
        return str(error)


def decoded_the_long_way(abi: ContractAbi, topics: Sequence[bytes], data: bytes) -> Any:
    plans = abi._layouts
    abi._layouts = dict.fromkeys(plans)
    try:
        return decoded(abi, topics, data)
    finally:
        abi._layouts = plans


@given(
    event=st.sampled_from(EVENTS),
    topics=st.lists(st.one_of(WORDS, st.binary(max_size=40)), max_size=4),
    words=st.lists(WORDS, max_size=10),
    rest=st.binary(max_size=40),
)
def test_fast_decoder_agrees_with_the_general_one_on_any_bytes(
    event: tuple[ContractAbi, bytes], topics: list[bytes], words: list[bytes], rest: bytes
) -> None:
    abi, topic = event
    data = b"".join(words) + rest
    assert decoded(abi, [topic, *topics], data) == decoded_the_long_way(abi, [topic, *topics], data)


@given(event=st.sampled_from(EVENTS), words=st.lists(st.one_of(SMALL_WORDS, FLAG_WORDS), min_size=14, max_size=14))
def test_fast_decoder_agrees_with_the_general_one_on_valid_logs(event: tuple[ContractAbi, bytes], words: list[bytes]) -> None:
    abi, topic = event
    indexed = sum(parameter.indexed for parameter in abi.events_by_topic[topic].inputs)
    topics, data = [topic, *words[:indexed]], b"".join(words[4:])
    short, long = decoded(abi, topics, data), decoded_the_long_way(abi, topics, data)
    assert short == long
    if isinstance(short, tuple):
        assert list(short[1]) == list(long[1])


def test_most_frequent_events_use_the_fast_decoder() -> None:
    vault = load_abi(ContractName.VAULT.value)
    for name in ("Transfer", "SharesLocked", "Deposit"):
        (topic,) = (topic for topic, event in vault.events_by_topic.items() if event.name == name)
        assert vault._layouts[topic] is not None


def test_fast_decoder_declines_arguments_longer_than_a_word() -> None:
    assert word_layout([("requestId", "uint256", True), ("reason", "string", False)]) is None
    assert word_layout([("amounts", "uint256[]", False)]) is None
