"""Blocks, addresses, roles and contract names of a chain.

Addresses and hashes are bytes here and in the database. They become checksummed or plain hex only at the edges.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType

from eth_utils.address import is_checksum_address, to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

Address = NewType("Address", bytes)
"""20 bytes."""

Hash32 = NewType("Hash32", bytes)
"""32 bytes: a block hash, a transaction hash, a role."""

ZERO_ADDRESS: Final = Address(bytes(20))


class InvalidAddress(ValueError):
    """The text is not an address; the message says what an address looks like."""


def parse_address(text: str) -> Address:
    """Parse an address that a person typed or a program sent.

    A mixed-case address must carry the right EIP-55 checksum: a wrong checksum is nearly always a typing error.

    Raises:
        InvalidAddress: the text is not 0x and 40 hex digits, or its checksum does not match.
    """
    digits = text.removeprefix("0x")
    if len(text) != 42 or len(digits) != 40 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise InvalidAddress(f"not an address: {text[:60]!r}; an address is 0x followed by 40 hexadecimal digits")
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(text):
        raise InvalidAddress(f"{text} has a wrong EIP-55 checksum: a letter's case or a digit is mistyped")
    return Address(to_canonical_address("0x" + digits.lower()))


@lru_cache(maxsize=65_536)
def checksum(address: bytes) -> str:
    """Format an address with its EIP-55 checksum. Results are cached: each takes a hash, and few addresses recur often."""
    return str(to_checksum_address(address))


def hex0x(value: bytes) -> str:
    """Format bytes as lower-case hex with the prefix 0x."""
    return "0x" + value.hex()


@dataclass(frozen=True, slots=True, order=True)
class BlockStamp:
    """Identify one block, so that a read of the chain can be dated by it."""

    number: int
    hash: Hash32
    timestamp: datetime

    def __str__(self) -> str:
        return f"#{self.number} {hex0x(self.hash)[:10]}"


class ContractName(StrEnum):
    """Name the kinds of contract the system tracks. The fund has one of each of the first three, at configured addresses."""

    VAULT = "Vault"
    REDEMPTION_MANAGER = "RedemptionManager"
    ASSET_CONTROLLER = "AssetController"
    OTC_MANAGER = "OTCManager"
    TOKEN = "ERC20"  # noqa: S105 — any token whose Transfers from and to the vault are followed

    __hash__ = str.__hash__  # an enum's own is Python code, and every log is looked up by its contract several times


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """The block, index, transaction and time of one log. A recorded fact is identified by it."""

    block_number: int
    log_index: int
    tx_hash: Hash32
    at: datetime


class OnChainRole(StrEnum):
    """An OpenZeppelin AccessControl role of the fund.

    The id is keccak256 of the name; the id of the default admin is zero. Source: the on-chain interface, "Roles".
    """

    DEFAULT_ADMIN_ROLE = "DEFAULT_ADMIN_ROLE"
    ADMIN_ROLE = "ADMIN_ROLE"
    OPERATOR_ROLE = "OPERATOR_ROLE"
    REBALANCER_ROLE = "REBALANCER_ROLE"
    VIP_APPROVER_ROLE = "VIP_APPROVER_ROLE"

    @property
    def id(self) -> Hash32:
        return Hash32(bytes(32) if self is OnChainRole.DEFAULT_ADMIN_ROLE else keccak(text=self.value))
