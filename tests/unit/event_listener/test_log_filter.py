"""Queries, the bloom check and the receipt filter select the same logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.encoded_logs import FUND, TRACKED
from tests.support.factories.strategies import address

from paimon.application.event_listener.fetch.log_filter import LogFilter, log_queries
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract
from paimon.domain.kernel.chain import Address, ContractName
from paimon.infrastructure.blockchain.proof.bloom import bloom_of
from paimon.infrastructure.blockchain.proof.keccak import keccak256

pytestmark = pytest.mark.unit

FIRST, LAST, SINCE = 10, 20, 15
LATER = [
    TrackedContract(address(0xB0), ContractName.TOKEN, ContractOrigin.EVENT, SINCE),
    TrackedContract(address(0xB1), ContractName.OTC_MANAGER, ContractOrigin.EVENT, SINCE),
    TrackedContract(address(0xB2), ContractName.TOKEN, ContractOrigin.EVENT, LAST + 5),
]
ALL_TRACKED = TRACKED.with_added(LATER)

EMITTERS = st.sampled_from([*ALL_TRACKED.contracts, address(0xDEAD)])
TOPICS = st.lists(
    st.sampled_from([
        keccak256(b"Transfer(address,address,uint256)"),
        keccak256(b"Approval(address,address,uint256)"),
        bytes(12) + FUND.vault,
        bytes(12) + address(0xBEEF),
    ]),
    max_size=4,
).map(tuple)  # fmt: skip


@given(st.integers(FIRST, LAST), EMITTERS, TOPICS)
def test_queries_and_receipt_filter_select_the_same_logs(number: int, emitter: Address, topics: tuple[bytes, ...]) -> None:
    requested = any(
        query.first <= number <= query.last and query.matches(emitter, topics)
        for query in log_queries(ALL_TRACKED, FIRST, LAST)
    )
    assert requested == LogFilter.of(ALL_TRACKED).matches(number, emitter, topics)


@given(st.integers(FIRST, LAST), st.lists(st.tuples(EMITTERS, TOPICS), min_size=1, max_size=5))
def test_bloom_check_never_excludes_a_block_with_a_tracked_log(
    number: int, logs: list[tuple[Address, tuple[bytes, ...]]]
) -> None:
    log_filter = LogFilter.of(ALL_TRACKED)
    bloom = 0
    for emitter, topics in logs:
        bloom |= bloom_of(emitter, *topics)
    if any(log_filter.matches(number, emitter, topics) for emitter, topics in logs):
        assert log_filter.may_match_bloom(number, bloom)


def test_bloom_check_excludes_a_block_without_logs() -> None:
    assert not LogFilter.of(ALL_TRACKED).may_match_bloom(LAST, 0)
