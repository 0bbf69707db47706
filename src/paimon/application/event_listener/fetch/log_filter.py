"""Which of a chain's logs are the fund's: what a node is asked for, what a bloom may hide, and what a receipt may hold.

Of the fund's own contracts every log is wanted; of tokens only the Transfers from the vault and those to it, as two
filtered requests over all of them, never a whole stablecoin.
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
    """One `eth_getLogs`: of which contracts, in which blocks, and which topics at their places; None is any."""

    addresses: frozenset[Address]
    first: int
    last: int
    topics: tuple[Hash32 | None, ...] = ()

    @property
    def request(self) -> Request:
        query: dict[str, Any] = {
            "fromBlock": hex(self.first),
            "toBlock": hex(self.last),
            "address": sorted(checksum(each) for each in self.addresses),
        }
        if self.topics:
            query["topics"] = [None if topic is None else hex0x(topic) for topic in self.topics]
        return ("eth_getLogs", [query])

    def within(self, first: int, last: int) -> "LogQuery":
        """The part of it that lies in these blocks."""
        return replace(self, first=max(self.first, first), last=min(self.last, last))

    def matches(self, address: Address, topics: Sequence[bytes]) -> bool:
        """Whether the node may give such a log in answer."""
        return address in self.addresses and all(
            topic is None or topics[place : place + 1] == (topic,) for place, topic in enumerate(self.topics)
        )


def log_queries(tracked: TrackedContracts, first: int, last: int) -> list[LogQuery]:
    """What asks for all logs of everything followed; what came to be followed within these blocks, from its own block on."""
    known = [each for each in tracked.contracts.values() if each.since_block <= first]
    later = [each for each in tracked.contracts.values() if first < each.since_block <= last]
    vault = tracked.treasury.vault
    own = frozenset(each.address for each in known if each.contract is not ContractName.TOKEN)
    tokens = [each.address for each in known if each.contract is ContractName.TOKEN]
    return [
        LogQuery(own, first, last),
        *_transfers(tokens, vault, first, last),
        *(query for each in later for query in contract_queries(each, vault, last)),
    ]


def contract_queries(contract: TrackedContract, vault: Address, last: int) -> Sequence[LogQuery]:
    """From the whole of the announcing block on: what the contract did before it in that block belongs to it."""
    if contract.contract is ContractName.TOKEN:
        return _transfers([contract.address], vault, contract.since_block, last)
    return [LogQuery(frozenset({contract.address}), contract.since_block, last)]


def _transfers(tokens: Iterable[Address], vault: Address, first: int, last: int) -> tuple[LogQuery, ...]:
    """What asks for the tokens' Transfers from the vault and to it; nothing where there is no token."""
    addresses, vault_topic = frozenset(tokens), _address_topic(vault)
    if not addresses:
        return ()
    return (
        LogQuery(addresses, first, last, (_TRANSFER, vault_topic)),
        LogQuery(addresses, first, last, (_TRANSFER, None, vault_topic)),
    )


def _address_topic(address: Address) -> Hash32:
    """An address as an indexed argument."""
    return Hash32(bytes(12) + address)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The same, asked of a block's bloom and of a single log. `bits` are what a contract's logs set in a bloom, each with the
    block from which on the contract is followed."""

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
                    bloom_of(each.address, _TRANSFER, vault_topic)
                    if each.contract is ContractName.TOKEN
                    else bloom_of(each.address),
                    each.since_block,
                )
                for each in tracked.contracts.values()
            ),
        )

    def may_match_bloom(self, number: int, bloom: int) -> bool:
        """False where this block's bloom excludes every log that is wanted."""
        return bloom != 0 and any(number >= since and not excludes(bloom, bits) for bits, since in self.bits)

    def matches(self, number: int, address: Address, topics: Sequence[bytes]) -> bool:
        """Whether such a log in this block is wanted."""
        contract = self.contracts.get(address)
        if contract is None or number < contract.since_block:
            return False
        if contract.contract is not ContractName.TOKEN:
            return True
        return topics[:1] == (_TRANSFER,) and self.vault_topic in topics[1:3]
