"""Parts of the health report about where the books come from: the listener's endpoints, and how its ranges are proven."""

from collections.abc import Sequence
from typing import Any, Final

from paimon.application.event_listener.fetch.range_proofs import CaughtLies, ProofStanding
from paimon.domain.chain.range_proof import LASTING, RangeProof
from paimon.domain.operations.health import Condition, Part
from paimon.infrastructure.blockchain.rpc import EndpointState

_RECENT_SECONDS: Final = 86_400.0
"""A lie is told for good; it makes the part degraded for a day."""


def endpoints_part(endpoints: Sequence[EndpointState], lies: Sequence[CaughtLies]) -> Part:
    """Each endpoint as the listener finds it. A name is host and port: no key is in it."""
    well = [each for each in endpoints if each.is_well]
    liars = sorted({each.endpoint for each in lies if each.seconds_ago < _RECENT_SECONDS})
    details = {"endpoints": [_endpoint(each) for each in endpoints], "lies": [_lie(each) for each in lies]}
    summary = f"{len(well)} of {len(endpoints)} answer" if endpoints else "no listener tells of its endpoints"
    if liars:
        summary += f"; caught at untrue answers within a day: {', '.join(liars)}"
    if endpoints and not well:
        return Part("endpoints", Condition.DOWN, summary, details)
    is_ok = endpoints and len(well) == len(endpoints) and not liars
    return Part("endpoints", Condition.OK if is_ok else Condition.DEGRADED, summary, details)


def _endpoint(state: EndpointState) -> dict[str, Any]:
    return {
        "name": state.name,
        "uses": [each.value for each in state.uses],
        "headBlock": state.head,
        "latencySeconds": None if state.latency_seconds is None else round(state.latency_seconds, 4),
        "errorRate": round(state.error_rate, 4),
        "breaker": state.breaker.value,
        "servesOurChain": state.serves_our_chain,
    }


def _lie(caught: CaughtLies) -> dict[str, Any]:
    return {
        "endpoint": caught.endpoint,
        "lie": caught.lie.value,
        "times": caught.times,
        "lastBlock": caught.last_block,
        "lastAt": caught.last_at,
    }


def proof_part(standing: ProofStanding) -> Part:
    """At which level which blocks are proven, and which are not."""
    details: dict[str, Any] = {
        "newest": _range(standing.newest),
        "weakest": _range(standing.weakest),
        "levels": {
            level.value: {"fromBlock": span.first, "toBlock": span.last, "blocks": span.blocks}
            for level, span in standing.levels.items()
        },
        "unproven": None,
        "comparedBlock": standing.compared_block,
    }
    if (unproven := standing.unproven) is not None:
        details["unproven"] = {"fromBlock": unproven.first, "toBlock": unproven.last, "blocks": unproven.blocks}
    if standing.newest is None or standing.weakest is None:
        words = "no block is proven yet" if unproven is None else "no block is proven"
    else:
        words = f"newest {standing.newest.level}, weakest {standing.weakest.level}"
    if not standing.is_weak:
        return Part("proof", Condition.OK, words, details)
    return Part("proof", Condition.DEGRADED, f"{words}: some blocks are below {LASTING}; see `paimon audit-chain`", details)


def _range(proof: RangeProof | None) -> dict[str, Any] | None:
    return None if proof is None else {"level": proof.level.value, "fromBlock": proof.first, "toBlock": proof.last}
