"""Which logs of a chain are the fund's: for the node's queries, for a block's bloom, and for a single log.

Every log of the fund's own contracts counts. Of a token only the Transfers from and to the vault count: two filtered queries
over all tokens, and never all transfers of a stablecoin.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from paimon.domain.chain.tracked_contracts import TrackedContract, TrackedContracts
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.infrastructure.blockchain.proof.bloom import bloom_of, excludes
from paimon.infrastructure.blockchain.proof.keccak import keccak256
from paimon.infrastructure.blockchain.rpc.endpoint import Request

_TRANSFER: Final = Hash32(keccak256(b"Transfer(address,address,uint256)"))


@dataclass(frozen=True, slots=True)
class LogQuery:
    """One `eth_getLogs` over blocks `first` to `last`. `topics` are by position; None matches any topic."""

    addresses: frozenset[Address]
    first: int
    last: int
    topics: tuple[Hash32 | None, ...] = ()

    @property
    def request(self) -> Request:
        query: dict[str, Any] = {
            "fromBlock": hex(self.first),
            "toBlock": hex(self.last),
            "address": sorted(checksum(address) for address in self.addresses),
        }
        if self.topics:
            query["topics"] = [None if topic is None else hex0x(topic) for topic in self.topics]
        return ("eth_getLogs", [query])

    def within(self, first: int, last: int) -> "LogQuery":
        """Return the part of the query for these blocks."""
        return replace(self, first=max(self.first, first), last=min(self.last, last))

    def matches(self, address: Address, topics: Sequence[bytes]) -> bool:
        """Return whether a correct answer to this query may contain such a log."""
        return address in self.addresses and all(
            topic is None or topics[position : position + 1] == (topic,) for position, topic in enumerate(self.topics)
        )


def log_queries(tracked: TrackedContracts, first: int, last: int) -> list[LogQuery]:
    """Return the queries for all logs of all tracked contracts, for each contract from its own first block on."""
    known = [contract for contract in tracked.contracts.values() if contract.since_block <= first]
    later = [contract for contract in tracked.contracts.values() if first < contract.since_block <= last]
    vault = tracked.treasury.vault
    own = frozenset(contract.address for contract in known if contract.contract is not ContractName.TOKEN)
    tokens = [contract.address for contract in known if contract.contract is ContractName.TOKEN]
    return [
        LogQuery(own, first, last),
        *_transfers(tokens, vault, first, last),
        *(query for contract in later for query in contract_queries(contract, vault, last)),
    ]


def contract_queries(contract: TrackedContract, vault: Address, last: int) -> Sequence[LogQuery]:
    """Return the queries for one contract from the start of the block that named it.

    What the contract logged in that block before the naming event belongs to the fund too.
    """
    if contract.contract is ContractName.TOKEN:
        return _transfers([contract.address], vault, contract.since_block, last)
    return [LogQuery(frozenset({contract.address}), contract.since_block, last)]


def _transfers(tokens: Iterable[Address], vault: Address, first: int, last: int) -> tuple[LogQuery, ...]:
    """Return the queries for the tokens' Transfers from and to the vault; none where there are no tokens."""
    addresses, vault_topic = frozenset(tokens), _address_topic(vault)
    if not addresses:
        return ()
    return (
        LogQuery(addresses, first, last, (_TRANSFER, vault_topic)),
        LogQuery(addresses, first, last, (_TRANSFER, None, vault_topic)),
    )


def _address_topic(address: Address) -> Hash32:
    """Return the topic of an address that is an indexed argument."""
    return Hash32(bytes(12) + address)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The rule of `log_queries`, applied to a block's bloom and to a single log.

    `bits` are the bloom bits that a contract's logs set, each with the block from which on the contract is tracked.
    """

    contracts: Mapping[Address, TrackedContract]
    vault_topic: Hash32
    bits: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, tracked: TrackedContracts) -> "LogFilter":
        vault_topic = _address_topic(tracked.treasury.vault)
        return cls(
            tracked.contracts,
            vault_topic,
            tuple(
                (
                    bloom_of(contract.address, _TRANSFER, vault_topic)
                    if contract.contract is ContractName.TOKEN
                    else bloom_of(contract.address),
                    contract.since_block,
                )
                for contract in tracked.contracts.values()
            ),
        )

    def may_match_bloom(self, number: int, bloom: int) -> bool:
        """Return False where this block's bloom excludes every log of the fund."""
        return bloom != 0 and any(number >= since and not excludes(bloom, bits) for bits, since in self.bits)

    def matches(self, number: int, address: Address, topics: Sequence[bytes]) -> bool:
        """Return whether such a log in this block is the fund's."""
        contract = self.contracts.get(address)
        if contract is None or number < contract.since_block:
            return False
        if contract.contract is not ContractName.TOKEN:
            return True
        return topics[:1] == (_TRANSFER,) and self.vault_topic in topics[1:3]
