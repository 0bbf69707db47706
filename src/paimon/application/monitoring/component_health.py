"""Parts of the health report about where the books come from: the listener's endpoints, and how its ranges are proven."""

from collections.abc import Sequence
from typing import Any, Final

from paimon.application.event_listener.fetch.queries import EndpointFaultCount, ProofSummary
from paimon.domain.chain.range_proof import PROOF_LEVEL_REQUIRED, RangeProof
from paimon.domain.operations.health import ComponentHealth, HealthStatus
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport

_RECENT_SECONDS: Final = 86_400.0
"""A fault stays listed for ever. It makes the component degraded for a day."""


def endpoints_health(endpoints: Sequence[EndpointReport], faults: Sequence[EndpointFaultCount]) -> ComponentHealth:
    """Each endpoint as the listener finds it. A name is host and port: no key is in it."""
    healthy = [each for each in endpoints if each.is_healthy]
    faulty_endpoints = sorted({each.endpoint for each in faults if each.seconds_ago < _RECENT_SECONDS})
    details = {"endpoints": [_endpoint(each) for each in endpoints], "faults": [_endpoint_fault(each) for each in faults]}
    summary = f"{len(healthy)} of {len(endpoints)} answer" if endpoints else "no listener tells of its endpoints"
    if faulty_endpoints:
        summary += f"; caught at untrue answers within a day: {', '.join(faulty_endpoints)}"
    if endpoints and not healthy:
        return ComponentHealth("endpoints", HealthStatus.DOWN, summary, details)
    is_ok = endpoints and len(healthy) == len(endpoints) and not faulty_endpoints
    return ComponentHealth("endpoints", HealthStatus.OK if is_ok else HealthStatus.DEGRADED, summary, details)


def _endpoint(state: EndpointReport) -> dict[str, Any]:
    return {
        "name": state.name,
        "uses": [each.value for each in state.uses],
        "headBlock": state.head,
        "latencySeconds": None if state.latency_seconds is None else round(state.latency_seconds, 4),
        "errorRate": round(state.error_rate, 4),
        "breaker": state.breaker.value,
        "servesOurChain": state.serves_our_chain,
    }


def _endpoint_fault(fault: EndpointFaultCount) -> dict[str, Any]:
    return {
        "endpoint": fault.endpoint,
        "kind": fault.kind.value,
        "occurrences": fault.occurrences,
        "lastBlock": fault.last_block,
        "lastSeenAt": fault.last_seen_at,
    }


def proof_health(standing: ProofSummary) -> ComponentHealth:
    """At which level which blocks are proven, and which are not."""
    details: dict[str, Any] = {
        "newest": _range(standing.newest),
        "weakest": _range(standing.weakest),
        "levels": {
            level.value: {"fromBlock": span.first, "toBlock": span.last, "blocks": span.blocks}
            for level, span in standing.levels.items()
        },
        "unproven": None,
        "reconciledBlock": standing.reconciled_block,
    }
    if (unproven := standing.unproven) is not None:
        details["unproven"] = {"fromBlock": unproven.first, "toBlock": unproven.last, "blocks": unproven.blocks}
    if standing.newest is None or standing.weakest is None:
        summary = "no block is proven yet" if unproven is None else "no block is proven"
    else:
        summary = f"newest {standing.newest.level}, weakest {standing.weakest.level}"
    if not standing.is_weak:
        return ComponentHealth("proof", HealthStatus.OK, summary, details)
    return ComponentHealth(
        "proof",
        HealthStatus.DEGRADED,
        f"{summary}: some blocks are below {PROOF_LEVEL_REQUIRED}; see `paimon audit-chain`",
        details,
    )


def _range(proof: RangeProof | None) -> dict[str, Any] | None:
    return None if proof is None else {"level": proof.level.value, "fromBlock": proof.first, "toBlock": proof.last}
