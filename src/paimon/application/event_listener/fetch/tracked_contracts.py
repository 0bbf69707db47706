"""Which contracts are followed: kept in the database, begun with the first block, and grown by what events announce.

The set is written in the transaction that records the announcing block, so that a restart, a standby and a replay know it.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.event_listener.fetch.block_range import (
    Caught,
    InconsistentAnswer,
    Range,
    fetch_more,
    fetch_range,
    fetch_stretch,
)
from paimon.application.event_listener.fetch.decode import DecodedLog, decode_log
from paimon.application.event_listener.fetch.log_filter import contract_queries, log_queries
from paimon.application.event_listener.fetch.verify import Proof, Prove
from paimon.domain.chain.tracked_contracts import Followed, FollowedContract, Origin
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, checksum
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts import FundAddresses, FundContracts, NoAnswer, Read
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.database.models.derived import TrackedContractRow
from paimon.infrastructure.database.sessions import WriteSession


class AnotherFund(StartupError):
    """The books were recorded from other contracts than the settings name now."""


# By its real name even where a session's schema is translated: a replay reads what was followed, it does not rebuild it.
_FOLLOWED = text("SELECT address, contract, origin, since_block FROM derived.followed_contracts")


async def load_followed(session: AsyncSession) -> Followed:
    """What is followed; empty before the listener's first start."""
    return Followed.of(
        FollowedContract(Address(address), ContractName(contract), Origin(origin), since_block)
        for address, contract, origin, since_block in await session.execute(_FOLLOWED)
    )


async def add_followed(session: WriteSession, contracts: Iterable[FollowedContract]) -> None:
    rows = [
        {"address": each.address, "contract": each.contract, "origin": each.origin, "since_block": each.since_block}
        for each in contracts
    ]
    if rows:
        await session.execute(insert(TrackedContractRow).on_conflict_do_nothing(), rows)


async def first_followed(contracts: FundContracts, *, at: BlockStamp, start_block: int) -> list[FollowedContract]:
    """The configured contracts, and the vault's asset, which never changes and so may be asked at any block.

    Raises:
        InconsistentAnswer: the vault is not there yet at that block, as where a node lags far behind.
        RpcUnavailable, RpcError.
    """
    (asset,) = await contracts.try_read([Read(ContractName.VAULT, "asset")], at=at)
    if isinstance(asset, NoAnswer):
        raise InconsistentAnswer(f"the vault does not name its asset at block {at}: {asset.reason}")
    return [
        *(
            FollowedContract(address, name, Origin.SETTINGS, start_block)
            for address, name in contracts.addresses.names().items()
        ),
        FollowedContract(asset, ContractName.TOKEN, Origin.VAULT_ASSET, start_block),
    ]


def require_same_fund(followed: Followed, addresses: FundAddresses) -> None:
    """Raises AnotherFund unless what is recorded is of the configured contracts."""
    recorded = {each.address: each.contract for each in followed.contracts.values() if each.origin is Origin.SETTINGS}
    for address, name in addresses.names().items():
        if recorded.get(address) is not name:
            raise AnotherFund(
                f"the books were not recorded from a {name} at {checksum(address)}: PAIMON_FUND__… names another fund than"
                " the one in this database; one database serves one fund"
            )


async def fetch_followed(
    rpc: Rpc, contracts: FundContracts, followed: Followed, first: int, last: int
) -> tuple[Range, list[DecodedLog]]:
    """Blocks `first` to `last` with all logs of everything followed, that which these blocks announce included.

    Raises:
        InconsistentAnswer, RpcUnavailable, RpcError.
    """
    vault = followed.treasury.vault
    fetched = await fetch_range(rpc, first, last, log_queries(followed, first, last))
    logs = _decoded(contracts, followed, fetched)
    while new := announced(followed, logs):
        queries = [query for each in new for query in contract_queries(each, vault, last)]
        fetched = await fetch_more(rpc, fetched, queries)
        followed = followed.with_more(new)
        logs = _decoded(contracts, followed, fetched)
    return fetched, logs


async def fetch_followed_stretch(
    rpc: Rpc, contracts: FundContracts, followed: Followed, first: int, last: int
) -> tuple[Range, list[DecodedLog]]:
    """The same of blocks long final, for which only the headers that matter are asked (`fetch_stretch`)."""
    while True:
        fetched = await fetch_stretch(rpc, first, last, log_queries(followed, first, last))
        logs = _decoded(contracts, followed, fetched)
        if not (new := announced(followed, logs)):
            return fetched, logs
        followed = followed.with_more(new)


async def prove_followed(
    prove: Prove, rpc: Rpc, contracts: FundContracts, followed: Followed, fetched: Range, logs: list[DecodedLog]
) -> tuple[Proof, list[DecodedLog]]:
    """The range's proof, and its logs decoded as they are proven: a contract may be announced by a log that was left out.

    Raises as `prove`.
    """
    caught: tuple[Caught, ...] = ()
    while True:
        then = followed.with_more(announced(followed, logs))
        proof = await prove(rpc, fetched, then)
        caught += proof.caught
        if proof.fetched.logs == fetched.logs:
            return replace(proof, caught=caught), logs
        fetched = proof.fetched
        logs = _decoded(contracts, then, fetched)


def announced(followed: Followed, logs: Iterable[DecodedLog]) -> list[FollowedContract]:
    """Contracts that these logs bring in."""
    return followed.announced((each.event, each.log.block.number) for each in logs if each.event is not None)


def _decoded(contracts: FundContracts, followed: Followed, fetched: Range) -> list[DecodedLog]:
    names = followed.names()
    return [decode_log(each, names, contracts.abis) for each in fetched.logs]
