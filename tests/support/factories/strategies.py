"""Strategies of domain values, and numbered blocks."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address, BlockStamp, Hash32
from paimon.domain.kernel.units import UINT256_MAX, RawAmount

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)

UINT256: Final = st.integers(0, UINT256_MAX)
AMOUNTS: Final = UINT256.map(RawAmount)
ADDRESSES: Final = st.binary(min_size=20, max_size=20).map(Address)
INSTANTS: Final = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
STAMPS: Final = st.builds(BlockStamp, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32).map(Hash32), INSTANTS)


def stamp(number: int) -> BlockStamp:
    """Return the block of this number on a synthetic chain with one block a second."""
    return BlockStamp(number, Hash32(number.to_bytes(32, "big")), EPOCH + timedelta(seconds=number))


def address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))
