"""Node answers to a broadcast, classified by their messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.transaction.broadcast_result import BroadcastResult, classify_broadcast_error

pytestmark = pytest.mark.unit

# geth's core/txpool/errors.go and core/error.go (BSC's node is a fork), Erigon's txpoolcfg, anvil's own pool.
SAID = [
    (-32000, "already known", BroadcastResult.ALREADY_KNOWN),
    (-32000, "known transaction: 0x00", BroadcastResult.ALREADY_KNOWN),
    (-32000, "ALREADY_EXISTS: already known", BroadcastResult.ALREADY_KNOWN),
    (-32000, "existing tx with same hash", BroadcastResult.ALREADY_KNOWN),
    (-32003, "transaction already imported", BroadcastResult.ALREADY_KNOWN),
    (-32000, "nonce too low: next nonce 5, tx nonce 4", BroadcastResult.NONCE_TOO_LOW),
    (-32003, "nonce too low", BroadcastResult.NONCE_TOO_LOW),
    (-32000, "nonce too high", BroadcastResult.NONCE_TOO_HIGH),
    (-32000, "replacement transaction underpriced", BroadcastResult.UNDERPRICED),
    (-32000, "transaction underpriced: gas tip cap 0, minimum needed 1000000000", BroadcastResult.UNDERPRICED),
    (-32000, "could not replace existing tx", BroadcastResult.UNDERPRICED),
    (-32000, "max fee per gas less than block base fee: address 0x0, maxFeePerGas: 1", BroadcastResult.UNDERPRICED),
    (-32000, "insufficient funds for gas * price + value: balance 0, tx cost 1", BroadcastResult.INSUFFICIENT_FUNDS),
    (-32003, "Insufficient funds for gas * price + value", BroadcastResult.INSUFFICIENT_FUNDS),
    (-32000, "txpool is full", BroadcastResult.POOL_FULL),
    (-32000, "pending sub-pool is full", BroadcastResult.POOL_FULL),
    (-32000, "intrinsic gas too low: gas 20000, minimum needed 21000", BroadcastResult.REFUSED),
    (-32000, "exceeds block gas limit", BroadcastResult.REFUSED),
    (-32000, "invalid sender", BroadcastResult.REFUSED),
    (-32005, "limit exceeded", BroadcastResult.UNKNOWN),
    (-32603, "Internal error", BroadcastResult.UNKNOWN),
]


@pytest.mark.parametrize(("code", "message", "answer"), SAID)
def test_known_node_messages_are_classified(code: int, message: str, answer: BroadcastResult) -> None:
    assert classify_broadcast_error(code, message) is answer


@given(st.integers(), st.text(alphabet="0123456789 #:.", max_size=60))
def test_unknown_node_messages_never_acknowledge(code: int, message: str) -> None:
    assert classify_broadcast_error(code, message) is BroadcastResult.UNKNOWN
    assert not BroadcastResult.UNKNOWN.is_acknowledged


@given(st.sampled_from(SAID), st.sampled_from(["", "rpc error: ", "INTERNAL_ERROR: "]))
def test_case_and_prefixes_do_not_change_the_result(said: tuple[int, str, BroadcastResult], prefix: str) -> None:
    code, message, answer = said
    assert classify_broadcast_error(code, prefix + message.upper()) is answer
