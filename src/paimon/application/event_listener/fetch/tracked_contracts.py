"""Which contracts are followed: kept in the database, begun with the first block, and grown by what events announce.

The set is written in the transaction that records the announcing block, so that a restart, a standby and a replay know it.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

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
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, checksum
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.contracts.reads import FailedRead
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.derived import TrackedContractRow
from paimon.infrastructure.database.sessions import WriteSession


class FundMismatch(StartupError):
    """The books were recorded from other contracts than the settings name now."""


# By its real name even where a session's schema is translated: a replay reads what was followed, it does not rebuild it.
_TRACKED_CONTRACTS = text("SELECT address, contract, origin, since_block FROM derived.tracked_contracts")


async def load_tracked_contracts(session: AsyncSession) -> TrackedContracts:
    """What is followed; empty before the listener's first start."""
    return TrackedContracts.of(
        TrackedContract(Address(address), ContractName(contract), ContractOrigin(origin), since_block)
        for address, contract, origin, since_block in await session.execute(_TRACKED_CONTRACTS)
    )


async def add_tracked_contracts(session: WriteSession, contracts: Iterable[TrackedContract]) -> None:
    rows = [
        {"address": each.address, "contract": each.contract, "origin": each.origin, "since_block": each.since_block}
        for each in contracts
    ]
    if rows:
        await session.execute(insert(TrackedContractRow).on_conflict_do_nothing(), rows)


async def read_initial_contracts(contracts: FundContracts, *, at: BlockStamp, start_block: int) -> list[TrackedContract]:
    """The configured contracts, and the vault's asset, which never changes and so may be asked at any block.

    Raises:
        InconsistentResponse: the vault is not there yet at that block, as where a node lags far behind.
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
    """Raises FundMismatch unless what is recorded is of the configured contracts."""
    recorded = {each.address: each.contract for each in tracked.contracts.values() if each.origin is ContractOrigin.SETTINGS}
    for address, name in addresses.names().items():
        if recorded.get(address) is not name:
            raise FundMismatch(
                f"the books were not recorded from a {name} at {checksum(address)}: PAIMON_FUND__… names another fund than"
                " the one in this database; one database serves one fund"
            )


async def fetch_tracked(
    rpc: Rpc, contracts: FundContracts, tracked: TrackedContracts, first: int, last: int
) -> tuple[BlockRange, list[DecodedLog]]:
    """Blocks `first` to `last` with all logs of everything followed, that which these blocks announce included.

    Raises:
        InconsistentResponse, RpcUnavailable, RpcError.
    """
    vault = tracked.treasury.vault
    fetched = await fetch_range(rpc, first, last, log_queries(tracked, first, last))
    logs = _decoded(contracts, tracked, fetched)
    while new := discovered(tracked, logs):
        queries = [query for each in new for query in contract_queries(each, vault, last)]
        fetched = await fetch_additional_logs(rpc, fetched, queries)
        tracked = tracked.with_added(new)
        logs = _decoded(contracts, tracked, fetched)
    return fetched, logs


async def fetch_tracked_segment(
    rpc: Rpc, contracts: FundContracts, tracked: TrackedContracts, first: int, last: int
) -> tuple[BlockRange, list[DecodedLog]]:
    """The same of blocks long final, for which only the headers that matter are asked (`fetch_segment`)."""
    while True:
        fetched = await fetch_segment(rpc, first, last, log_queries(tracked, first, last))
        logs = _decoded(contracts, tracked, fetched)
        if not (new := discovered(tracked, logs)):
            return fetched, logs
        tracked = tracked.with_added(new)


async def prove_tracked(
    prove: Prover, rpc: Rpc, contracts: FundContracts, tracked: TrackedContracts, fetched: BlockRange, logs: list[DecodedLog]
) -> tuple[ProofResult, list[DecodedLog]]:
    """The range's proof, and its logs decoded as they are proven: a contract may be announced by a log that was left out.

    Raises as `prove`.
    """
    faults: tuple[EndpointFault, ...] = ()
    while True:
        then = tracked.with_added(discovered(tracked, logs))
        proof = await prove(rpc, fetched, then)
        faults += proof.faults
        if proof.fetched.logs == fetched.logs:
            return replace(proof, faults=faults), logs
        fetched = proof.fetched
        logs = _decoded(contracts, then, fetched)


def discovered(tracked: TrackedContracts, logs: Iterable[DecodedLog]) -> list[TrackedContract]:
    """Contracts that these logs bring in."""
    return tracked.discovered((each.event, each.log.block.number) for each in logs if each.event is not None)


def _decoded(contracts: FundContracts, tracked: TrackedContracts, fetched: BlockRange) -> list[DecodedLog]:
    names = tracked.names()
    return [decode_log(each, names, contracts.abis) for each in fetched.logs]
