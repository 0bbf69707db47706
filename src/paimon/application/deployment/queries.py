"""Reads of the deployment: what the contracts are, and the logs that no ABI explains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from paimon.application.deployment.store import find_deployment
from paimon.domain.deployment.contract_facts import Deployment
from paimon.domain.kernel.chain import Address, ContractName, Hash32, hex0x
from paimon.errors import Unavailable
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.abi.well_known_events import well_known_signature
from paimon.infrastructure.database.sessions import ReadSession


class ContractsNotExamined(Unavailable):
    """The contracts were not examined yet; a worker does it when the listener has caught up. Try again shortly."""


@dataclass(frozen=True, slots=True)
class UnknownLogs:
    """Logs of one contract with one first topic that the contract's ABI does not have.

    `topic` is None for logs without a topic. `signature` is of another shipped ABI or a well-known one, if any has the topic.
    """

    contract: ContractName
    address: Address
    topic: Hash32 | None
    signature: str | None
    count: int
    last_block: int

    @property
    def name(self) -> str:
        """Return the event's signature where it is known, else its topic."""
        return self.signature or ("none" if self.topic is None else hex0x(self.topic))


@dataclass(frozen=True, slots=True)
class ExaminedDeployment:
    """The contracts as they were last examined, with the logs of theirs that are not understood."""

    deployment: Deployment
    unknown_logs: tuple[UnknownLogs, ...]


async def get_examined(session: ReadSession, abis: Mapping[ContractName, ContractAbi]) -> ExaminedDeployment:
    """Return what was found of the contracts.

    Raises:
        ContractsNotExamined.
    """
    deployment = await find_deployment(session)
    if deployment is None:
        raise ContractsNotExamined
    return ExaminedDeployment(deployment, await list_unknown_logs(session, abis))


_UNKNOWN: Final = text("""
    SELECT contract, address, topics[1] AS topic, count(*), max(block_number)
      FROM derived.raw_logs WHERE status = 'UNKNOWN'
     GROUP BY contract, address, topics[1] ORDER BY count(*) DESC, address, topic
""")


async def list_unknown_logs(session: ReadSession, abis: Mapping[ContractName, ContractAbi]) -> tuple[UnknownLogs, ...]:
    """Count the logs that no ABI of their contract explains, by contract and first topic, most frequent first."""
    return tuple(
        UnknownLogs(
            ContractName(contract),
            Address(address),
            None if topic is None else Hash32(topic),
            _signature(topic, abis.values()),
            count,
            last_block,
        )
        for contract, address, topic, count, last_block in await session.execute(_UNKNOWN)
    )


def _signature(topic: bytes | None, abis: Iterable[ContractAbi]) -> str | None:
    if topic is None:
        return None
    found = (abi.events_by_topic[topic].signature for abi in abis if topic in abi.events_by_topic)
    return next(found, None) or well_known_signature(topic)
