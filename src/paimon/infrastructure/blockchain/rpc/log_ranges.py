"""Fetch the logs of more blocks than a provider returns at once, in ranges as wide as it is known to accept."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from paimon.domain.chain.endpoint_health import narrower_range
from paimon.domain.chain.rpc_error_rules import RetryAction, diagnose
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

Fetched = TypeVar("Fetched")


async def fetch_in_ranges(
    rpc: Rpc, first: int, last: int, fetch: Callable[[int, int], Awaitable[Iterable[Fetched]]]
) -> list[Fetched]:
    """Collect what `fetch` finds in blocks `first` to `last`, in order. A range that is rejected as too wide is split.

    Raises:
        RpcError: a single block is too much, or the error is a different one.
    """
    found: list[Fetched] = []
    blocks_max = last - first + 1
    while first <= last:
        end = min(last, first + min(blocks_max, rpc.range_blocks()) - 1)
        try:
            found += await fetch(first, end)
        except RpcError as error:
            diagnosis = diagnose(error.method, error.code, error.message)
            if diagnosis.retry_action is not RetryAction.SPLIT_RANGE or end == first:
                raise
            # The endpoint remembers the rejection, but the next request may go to another one, which rejects it too.
            blocks_max = narrower_range(end - first + 1, diagnosis)
            continue
        first, blocks_max = end + 1, last - end
    return found
