"""Interpret a node's answer to a request at a height, and perhaps for the state of that block.

For old state two answers differ. "Not reached yet" passes by itself, and another node may have the block. "Pruned" does not
pass: an archive endpoint has the state, or an operator has to configure one. Some nodes report pruned state with the
message of a block that they have not reached.
"""

from collections.abc import Iterable
from typing import Any, Final

from paimon.domain.chain.rpc_error_rules import RpcErrorKind, diagnose
from paimon.infrastructure.blockchain.rpc.endpoint import Endpoint, Request
from paimon.infrastructure.blockchain.rpc.endpoint_selection import STATE_BLOCKS, EndpointRequirement
from paimon.infrastructure.blockchain.rpc.errors import RpcError, StatePruned, parse_result
from paimon.infrastructure.blockchain.rpc.read_answers import Answer

_BLOCK_METHODS: Final = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts"})


def is_missing_block(requirement: EndpointRequirement, requests: Iterable[Request], answers: Iterable[Answer]) -> bool:
    """Return whether an answer is null for a required block: some nodes answer so for a block that they do not have yet."""
    return requirement.height > 0 and any(
        method in _BLOCK_METHODS and answer.get("error") is None and answer.get("result") is None
        for (method, _), answer in zip(requests, answers, strict=True)
    )


def interpret_fault(kind: RpcErrorKind, endpoint: Endpoint, requirement: EndpointRequirement) -> RpcErrorKind:
    """Return STATE_PRUNED for "header not found" of a node whose head is far beyond the block: that node does not lag."""
    is_likely_pruned = (endpoint.health.head or 0) - requirement.height >= STATE_BLOCKS
    if kind is RpcErrorKind.LAGGING and requirement.state and is_likely_pruned and requirement.admits(endpoint):
        return RpcErrorKind.STATE_PRUNED
    return kind


def result_for(requirement: EndpointRequirement, endpoints: Iterable[Endpoint], method: str, answer: Answer) -> Any:
    """Return the result of an answer.

    Raises:
        StatePruned: the answer is about state that none of the endpoints has.
        RpcError: any other error.
    """
    try:
        return parse_result(method, answer)
    except RpcError as error:
        found = diagnose(method, error.code, error.message).kind
        if requirement.state and any(
            interpret_fault(found, endpoint, requirement) is RpcErrorKind.STATE_PRUNED for endpoint in endpoints
        ):
            raise StatePruned(error, requirement.height) from error
        raise


def result_or_error(requirement: EndpointRequirement, endpoints: Iterable[Endpoint], method: str, answer: Answer) -> Any:
    """Return the result of an answer, or its RpcError."""
    try:
        return result_for(requirement, endpoints, method, answer)
    except RpcError as error:
        return error
