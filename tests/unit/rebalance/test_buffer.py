"""When a refill of L1 is worth a plan, and how often."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.rebalance.buffer import BufferLevel, RefillPolicy, is_refill_due, refill_key

pytestmark = pytest.mark.unit

POLICY = RefillPolicy(below=Bps(800), smallest=RawAmount(1_000))


@pytest.mark.parametrize(
    ("total", "target", "ratio", "due"),
    [
        (7_999, 10_000, 799, True),
        (8_000, 10_000, 800, False),
        (7_000, 7_999, 700, False),  # 999 are missing
        (7_000, 8_000, 700, True),
        (7_000, 6_000, 700, False),  # above a low target
        (0, 0, 0, False),  # an empty fund
    ],
)
def test_refill_is_due(total: int, target: int, ratio: int, due: bool) -> None:
    assert is_refill_due(BufferLevel(RawAmount(total), RawAmount(target), Bps(ratio)), POLICY) is due


def test_refill_of_nothing_is_never_due() -> None:
    level = BufferLevel(RawAmount(5), RawAmount(5), Bps(0))
    assert not is_refill_due(level, RefillPolicy(below=Bps(10_000), smallest=RawAmount(0)))


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=2)))
def test_day_has_one_key(now: datetime, later: timedelta) -> None:
    other = now + later if now < datetime(9999, 12, 29, tzinfo=UTC) else now
    assert (refill_key(now) == refill_key(other)) is (now.date() == other.date())
