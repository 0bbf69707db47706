"""What is asked of a node, what a bloom may hide and what is taken from receipts are the same logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.encoded_logs import FOLLOWED, FUND
from tests.support.factories.strategies import address

from paimon.application.event_listener.fetch.log_filter import Wanted, log_queries
from paimon.domain.chain.tracked_contracts import FollowedContract, Origin
from paimon.domain.kernel.chain import Address, ContractName
from paimon.infrastructure.blockchain.bloom import bloom_of
from paimon.infrastructure.blockchain.keccak import keccak256

pytestmark = pytest.mark.unit

FIRST, LAST, SINCE = 10, 20, 15
LATER = [
    FollowedContract(address(0xB0), ContractName.TOKEN, Origin.EVENT, SINCE),
    FollowedContract(address(0xB1), ContractName.OTC_MANAGER, Origin.EVENT, SINCE),
    FollowedContract(address(0xB2), ContractName.TOKEN, Origin.EVENT, LAST + 5),
]
THEN = FOLLOWED.with_more(LATER)

EMITTERS = st.sampled_from([*THEN.contracts, address(0xDEAD)])
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
def test_what_is_asked_for_is_what_is_taken_from_receipts(number: int, emitter: Address, topics: tuple[bytes, ...]) -> None:
    asked = any(each.first <= number <= each.last and each.admits(emitter, topics) for each in log_queries(THEN, FIRST, LAST))
    assert asked == Wanted.of(THEN).admits(number, emitter, topics)


@given(st.integers(FIRST, LAST), st.lists(st.tuples(EMITTERS, TOPICS), min_size=1, max_size=5))
def test_no_block_with_a_wanted_log_is_excluded(number: int, logs: list[tuple[Address, tuple[bytes, ...]]]) -> None:
    wanted = Wanted.of(THEN)
    bloom = 0
    for emitter, topics in logs:
        bloom |= bloom_of(emitter, *topics)
    if any(wanted.admits(number, emitter, topics) for emitter, topics in logs):
        assert wanted.may_be_in(number, bloom)


def test_a_block_without_logs_is_always_excluded() -> None:
    assert not Wanted.of(THEN).may_be_in(LAST, 0)
