"""What a node's answer means to whoever asked under a condition: at a height, and perhaps for the state of that block.

Of old state it matters which of two things a node says. "I have not come so far" passes by itself, and another may be further.
"I have thrown it away" does not: an archive has it, or nobody does, and then somebody has to configure one. Some nodes say the
second in the words of the first.
"""

from collections.abc import Iterable
from typing import Any, Final

from paimon.domain.chain.rpc_error_rules import RpcErrorKind, diagnose
from paimon.infrastructure.blockchain.rpc.endpoint import Answer, Endpoint, Request
from paimon.infrastructure.blockchain.rpc.endpoint_selection import STATE_BLOCKS, EndpointRequirement
from paimon.infrastructure.blockchain.rpc.errors import RpcError, StatePruned, parse_result

_BLOCK_METHODS: Final = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts"})


def is_missing_block(requirement: EndpointRequirement, requests: Iterable[Request], answers: Iterable[Answer]) -> bool:
    """Some nodes say null of a block that they have yet to see."""
    return requirement.height > 0 and any(
        method in _BLOCK_METHODS and answer.get("error") is None and answer.get("result") is None
        for (method, _), answer in zip(requests, answers, strict=True)
    )


def interpret_fault(kind: RpcErrorKind, endpoint: Endpoint, requirement: EndpointRequirement) -> RpcErrorKind:
    """Some nodes say "header not found" of a block whose state they have pruned; one whose head is far beyond does not lag."""
    is_likely_pruned = (endpoint.health.head or 0) - requirement.height >= STATE_BLOCKS
    if kind is RpcErrorKind.LAGGING and requirement.state and is_likely_pruned and requirement.admits(endpoint):
        return RpcErrorKind.STATE_PRUNED
    return kind


def result_for(requirement: EndpointRequirement, endpoints: Iterable[Endpoint], method: str, answer: Answer) -> Any:
    """What was asked of these for.

    Raises:
        StatePruned: it is about state that none of them has.
        RpcError: any other error.
    """
    try:
        return parse_result(method, answer)
    except RpcError as error:
        found = diagnose(method, error.code, error.message).kind
        if requirement.state and any(
            interpret_fault(found, each, requirement) is RpcErrorKind.STATE_PRUNED for each in endpoints
        ):
            raise StatePruned(error, requirement.height) from error
        raise


def result_or_error(requirement: EndpointRequirement, endpoints: Iterable[Endpoint], method: str, answer: Answer) -> Any:
    """The result, or the RpcError that stands in its place."""
    try:
        return result_for(requirement, endpoints, method, answer)
    except RpcError as error:
        return error
