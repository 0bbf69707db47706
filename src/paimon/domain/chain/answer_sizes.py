"""How long a node's answer may be, decoded, by the method that was asked.

    Method                                                       MiB an answer
    eth_getLogs, eth_getBlockReceipts                            64
    eth_getBlockByNumber, eth_getBlockByHash, a receipt          16
    eth_call, eth_estimateGas, eth_getCode                       4
    any other                                                    1

A batch may be as long as its answers together, at most 64 MiB. The largest answers of BSC that are asked for are a tenth of
that. An endpoint that sends more is failing: another is asked, a range is halved, a batch is split.
"""

from collections.abc import Iterable
from typing import Final

_MIB: Final = 1024 * 1024

ANSWER_BYTES_MAX: Final = {
    "eth_getLogs": 64 * _MIB,
    "eth_getBlockReceipts": 64 * _MIB,
    "eth_getBlockByNumber": 16 * _MIB,
    "eth_getBlockByHash": 16 * _MIB,
    "eth_getTransactionReceipt": 16 * _MIB,
    "eth_call": 4 * _MIB,
    "eth_estimateGas": 4 * _MIB,
    "eth_getCode": 4 * _MIB,
}
OTHER_ANSWER_BYTES_MAX: Final = 1 * _MIB
BATCH_BYTES_MAX: Final = 64 * _MIB


def answer_bytes_max(methods: Iterable[str]) -> int:
    """Return how many bytes the answer to a batch of these methods may have."""
    return min(BATCH_BYTES_MAX, sum(ANSWER_BYTES_MAX.get(method, OTHER_ANSWER_BYTES_MAX) for method in methods))
