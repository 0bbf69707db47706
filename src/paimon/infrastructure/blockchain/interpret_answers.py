"""What a node's answer means to whoever asked under a condition: at a height, and perhaps for the state of that block.

Of old state it matters which of two things a node says. "I have not come so far" passes by itself, and another may be further.
"I have thrown it away" does not: an archive has it, or nobody does, and then somebody has to configure one. Some nodes say the
second in the words of the first.
"""

from collections.abc import Iterable
from typing import Any, Final

from paimon.domain.chain.rpc_error_rules import NodeFault, diagnose
from paimon.infrastructure.blockchain.endpoint import Answer, Endpoint, Request
from paimon.infrastructure.blockchain.endpoint_selection import STATE_BLOCKS, Need
from paimon.infrastructure.blockchain.rpc_errors import RpcError, StateNotKept, result

_BLOCKS: Final = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts"})


def lacks_a_block(need: Need, requests: Iterable[Request], answers: Iterable[Answer]) -> bool:
    """Some nodes say null of a block that they have yet to see."""
    return need.height > 0 and any(
        method in _BLOCKS and answer.get("error") is None and answer.get("result") is None
        for (method, _), answer in zip(requests, answers, strict=True)
    )


def meaning(fault: NodeFault, endpoint: Endpoint, need: Need) -> NodeFault:
    """Some nodes say "header not found" of a block whose state they have pruned; one whose head is far beyond does not lag."""
    is_kept_by_few = (endpoint.health.head or 0) - need.height >= STATE_BLOCKS
    if fault is NodeFault.LAGGING and need.state and is_kept_by_few and need.admits(endpoint):
        return NodeFault.STATE_PRUNED
    return fault


def result_for(need: Need, endpoints: Iterable[Endpoint], method: str, answer: Answer) -> Any:
    """What was asked of these for.

    Raises:
        StateNotKept: it is about state that none of them has.
        RpcError: any other error.
    """
    try:
        return result(method, answer)
    except RpcError as error:
        found = diagnose(method, error.code, error.message).fault
        if need.state and any(meaning(found, each, need) is NodeFault.STATE_PRUNED for each in endpoints):
            raise StateNotKept(error, need.height) from error
        raise


def outcome_for(need: Need, endpoints: Iterable[Endpoint], method: str, answer: Answer) -> Any:
    """The result, or the RpcError that stands in its place."""
    try:
        return result_for(need, endpoints, method, answer)
    except RpcError as error:
        return error
