"""Asking for the logs of more blocks than a provider gives at once: in pieces as wide as it has taught us, and no wider."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from paimon.domain.chain.endpoint_health import narrower
from paimon.domain.chain.rpc_error_rules import Remedy, diagnose
from paimon.infrastructure.blockchain.rpc import Rpc, RpcError

Found = TypeVar("Found")


async def in_pieces(rpc: Rpc, first: int, last: int, ask: Callable[[int, int], Awaitable[Iterable[Found]]]) -> list[Found]:
    """What `ask` finds in blocks `first` to `last`, in order. What is refused as too wide is asked again, narrower.

    Raises:
        RpcError: a single block is too much, or the error is another.
    """
    found: list[Found] = []
    at_most = last - first + 1
    while first <= last:
        end = min(last, first + min(at_most, rpc.range_blocks()) - 1)
        try:
            found += await ask(first, end)
        except RpcError as error:
            diagnosis = diagnose(error.method, error.code, error.message)
            if diagnosis.remedy is not Remedy.SPLIT_RANGE or end == first:
                raise
            # Whoever refused has learnt it; but another may come first next time, and be refused in its turn.
            at_most = narrower(end - first + 1, diagnosis)
            continue
        first, at_most = end + 1, last - end
    return found
