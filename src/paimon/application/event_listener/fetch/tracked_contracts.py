"""Fetch and prove the logs of all tracked contracts. The set grows by the events that name a new contract.

The configured contracts and the vault's asset are tracked from the first block. A contract that an event names is tracked
from the start of that event's block. The set is written in the transaction that records that block, so that a restart, a
standby and a replay know it.
"""

from collections.abc import Iterable
from dataclasses import replace

from paimon.application.event_listener.fetch.block_range import (
    BlockRange,
    EndpointFault,
    InconsistentResponse,
    fetch_additional_logs,
    fetch_range,
    fetch_segment,
)
from paimon.application.event_listener.fetch.decode import DecodedLog, decode_log
from paimon.application.event_listener.fetch.log_filter import contract_queries, log_queries
from paimon.application.event_listener.fetch.verify import ProofResult, Prover
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract, TrackedContracts
from paimon.domain.kernel.chain import BlockStamp, ContractName, checksum
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.contracts.reads import FailedRead
from paimon.infrastructure.blockchain.rpc.pool import Rpc


class FundMismatch(StartupError):
    """The database was recorded from other contracts than the settings name now."""


async def read_initial_contracts(contracts: FundContracts, *, at: BlockStamp, start_block: int) -> list[TrackedContract]:
    """Read the contracts to track from the start: the configured ones and the vault's asset.

    The asset never changes, so it may be read at any block.

    Raises:
        InconsistentResponse: the vault does not exist at that block yet, as where a node lags far behind.
        RpcUnavailable, RpcError.
    """
    (asset,) = await contracts.try_read([contracts.vault.asset()], at=at)
    if isinstance(asset, FailedRead):
        raise InconsistentResponse(f"the vault does not name its asset at block {at}: {asset.reason}")
    return [
        *(
            TrackedContract(address, name, ContractOrigin.SETTINGS, start_block)
            for address, name in contracts.addresses.names().items()
        ),
        TrackedContract(asset, ContractName.TOKEN, ContractOrigin.VAULT_ASSET, start_block),
    ]


def require_same_fund(tracked: TrackedContracts, addresses: FundAddresses) -> None:
    """Check that the database was recorded from the configured contracts. Raises FundMismatch."""
    recorded = {
        contract.address: contract.contract
        for contract in tracked.contracts.values()
        if contract.origin is ContractOrigin.SETTINGS
    }
    for address, name in addresses.names().items():
        if recorded.get(address) is not name:
            raise FundMismatch(
                f"this database was not recorded from a {name} at {checksum(address)}: PAIMON_FUND__… names another fund;"
                " one database serves one fund"
            )


async def fetch_tracked(
    rpc: Rpc, contracts: FundContracts, tracked: TrackedContracts, first: int, last: int
) -> tuple[BlockRange, list[DecodedLog]]:
    """Fetch blocks `first` to `last` with all logs of the tracked contracts, and of those that these blocks bring in.

    Raises:
        InconsistentResponse, RpcUnavailable, RpcError.
    """
    vault = tracked.treasury.vault
    fetched = await fetch_range(rpc, first, last, log_queries(tracked, first, last))
    logs = _decoded(contracts, tracked, fetched)
    while new := discovered(tracked, logs):
        queries = [query for contract in new for query in contract_queries(contract, vault, last)]
        fetched = await fetch_additional_logs(rpc, fetched, queries)
        tracked = tracked.with_added(new)
        logs = _decoded(contracts, tracked, fetched)
    return fetched, logs


async def fetch_tracked_segment(
    rpc: Rpc, contracts: FundContracts, tracked: TrackedContracts, first: int, last: int
) -> tuple[BlockRange, list[DecodedLog]]:
    """Fetch blocks that have long been final, as `fetch_tracked` does, with only the headers that matter (`fetch_segment`).

    Raises:
        InconsistentResponse, RpcUnavailable, RpcError.
    """
    while True:
        fetched = await fetch_segment(rpc, first, last, log_queries(tracked, first, last))
        logs = _decoded(contracts, tracked, fetched)
        if not (new := discovered(tracked, logs)):
            return fetched, logs
        tracked = tracked.with_added(new)


async def prove_tracked(
    prove: Prover, rpc: Rpc, contracts: FundContracts, tracked: TrackedContracts, fetched: BlockRange, logs: list[DecodedLog]
) -> tuple[ProofResult, list[DecodedLog]]:
    """Prove the range and decode its proven logs, repeatedly: a log that the endpoint omitted may name a new contract.

    Raises as `prove`.
    """
    faults: tuple[EndpointFault, ...] = ()
    while True:
        tracked_at_end = tracked.with_added(discovered(tracked, logs))
        proof = await prove(rpc, fetched, tracked_at_end)
        faults += proof.faults
        if proof.fetched.logs == fetched.logs:
            return replace(proof, faults=faults), logs
        fetched = proof.fetched
        logs = _decoded(contracts, tracked_at_end, fetched)


def discovered(tracked: TrackedContracts, logs: Iterable[DecodedLog]) -> list[TrackedContract]:
    """List the contracts that the events of these logs name and that are not tracked yet."""
    return tracked.discovered((decoded.event, decoded.log.block.number) for decoded in logs if decoded.event is not None)


def _decoded(contracts: FundContracts, tracked: TrackedContracts, fetched: BlockRange) -> list[DecodedLog]:
    names = tracked.names()
    return [decode_log(log, names, contracts.abis) for log in fetched.logs]
