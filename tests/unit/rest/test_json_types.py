"""Tests of the JSON forms of values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import UINT256_MAX
from paimon.gateway.rest.request_middleware import request_id_from
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time, iso_z

pytestmark = pytest.mark.unit


class Sample(ApiModel):
    gross_amount: BigInt
    owner: AddressText
    block_hash: HashText
    created_at: Time


@given(
    st.integers(0, UINT256_MAX),
    st.binary(min_size=20, max_size=20),
    st.binary(min_size=32, max_size=32),
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_values_survive_a_json_round_trip(amount: int, owner: bytes, block_hash: bytes, instant: datetime) -> None:
    sample = Sample(gross_amount=amount, owner=owner, block_hash=block_hash, created_at=instant)
    shown = sample.model_dump(mode="json", by_alias=True)
    assert shown == {
        "grossAmount": str(amount),
        "owner": checksum(owner),
        "blockHash": "0x" + block_hash.hex(),
        "createdAt": iso_z(instant),
    }
    assert Sample.model_validate(shown) == sample


def test_times_are_shown_in_utc() -> None:
    assert iso_z(datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("amount", ["-1", str(UINT256_MAX + 1), "1.5", "0x10", ""])
def test_big_integer_must_be_a_uint256(amount: str) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate(
            {
                "grossAmount": amount,
                "owner": "0x" + "00" * 20,
                "blockHash": "0x" + "00" * 32,
                "createdAt": "2026-01-31T12:00:00Z",
            }
        )


@given(st.text())
def test_request_id_of_the_caller_is_kept_when_safe_in_logs(offered: str) -> None:
    kept = request_id_from(offered)
    assert 8 <= len(kept) <= 64
    assert kept.isascii()
    assert kept.replace("-", "").replace("_", "").replace(".", "").isalnum() or kept == offered
    assert request_id_from(kept) == kept
