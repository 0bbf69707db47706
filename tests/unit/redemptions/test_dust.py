"""When dust is settled: cheap gas or a near deadline, in batches, earliest deadline first, each before its deadline."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH

from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.dust import BATCH_TIME, MARGIN, DueDust, DustPolicy, OpenDust, must_start, next_batch

pytestmark = pytest.mark.unit

POLICY = DustPolicy(amount=RawAmount(500), batch_size=4, wait=timedelta(hours=4), gas_price_wei_max=3)


def dust(number: int, *, minutes: int = 0, waits: bool = True) -> DueDust:
    return DueDust(number, EPOCH + timedelta(minutes=minutes), waits)


def test_one_request_waits_until_its_batch_and_the_margin_fit_before_its_deadline() -> None:
    last_moment = EPOCH + POLICY.wait - MARGIN - BATCH_TIME
    assert not must_start([dust(1)], POLICY, now=last_moment - timedelta(seconds=1))
    assert must_start([dust(1)], POLICY, now=last_moment)


def test_many_requests_start_earlier_than_one() -> None:
    """The fifth request is in the second batch, which needs another minute."""
    just_before = EPOCH + POLICY.wait - MARGIN - 2 * BATCH_TIME
    assert not must_start([dust(n) for n in range(4)], POLICY, now=just_before)
    assert must_start([dust(n) for n in range(5)], POLICY, now=just_before)


def test_emergency_request_waits_for_no_price() -> None:
    assert must_start([dust(1, waits=False), dust(2)], POLICY, now=EPOCH)
    assert next_batch([dust(1), dust(2, waits=False)], OpenDust(0, 0), POLICY)[0].request_id == 2


@pytest.mark.parametrize(
    ("moving", "blocked", "places"),
    [(0, 0, 4), (3, 0, 1), (4, 0, 0), (5, 0, 0), (0, 12, 4), (2, 12, 2), (0, 14, 2), (0, 99, 0)],
)
def test_batch_takes_the_places_that_are_free(moving: int, blocked: int, places: int) -> None:
    batch = next_batch([dust(n, minutes=-n) for n in range(9)], OpenDust(moving, blocked), POLICY)
    assert [each.request_id for each in batch] == [8, 7, 6, 5][:places]


@dataclass
class Model:
    """A keeper whose batch is final after one step of BATCH_TIME, as the rule assumes."""

    now: datetime = EPOCH
    waiting: list[DueDust] = field(default_factory=list)
    moving: list[DueDust] = field(default_factory=list)
    settled: dict[int, datetime] = field(default_factory=dict)

    def step(self, *, is_cheap: bool) -> None:
        self.settled |= {each.request_id: self.now for each in self.moving}
        self.moving = []
        is_urgent = must_start(self.waiting, POLICY, now=self.now)
        batch = next_batch(self.waiting, OpenDust(0, 0), POLICY) if is_cheap or is_urgent else []
        self.waiting = [each for each in self.waiting if each not in batch]
        assert len(batch) <= POLICY.batch_size
        assert (
            not self.waiting
            or not batch
            or max(each.deadline(POLICY) for each in batch) <= min(each.deadline(POLICY) for each in self.waiting)
        )
        self.moving = batch
        self.now += BATCH_TIME


@settings(max_examples=40)  # each example is twelve hours of sweeps
@given(
    st.lists(st.tuples(st.integers(0, 360), st.integers(1, 60)), max_size=6),
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 60)), max_size=4),
)
def test_every_request_is_settled_before_its_deadline(
    arrivals: list[tuple[int, int]], cheap_periods: list[tuple[int, int]]
) -> None:
    """No deadline passes, at any arrivals and prices of gas, and nothing moves early while gas is dear."""
    due = [dust(100 * group + n, minutes=minute) for group, (minute, count) in enumerate(arrivals) for n in range(count)]
    model = Model()
    for minute in range(12 * 60):
        model.waiting += [each for each in due if each.due_at == model.now]
        if not model.waiting and not model.moving and minute > max((m for m, _ in arrivals), default=0):
            break
        is_cheap = any(start <= minute < start + length for start, length in cheap_periods)
        if not is_cheap and not model.moving and all(each.deadline(POLICY) - model.now > 2 * MARGIN for each in model.waiting):
            before = list(model.waiting)
            model.step(is_cheap=False)
            assert model.waiting == before
        else:
            model.step(is_cheap=is_cheap)
    assert sorted(model.settled) == sorted(each.request_id for each in due)
    for each in due:
        assert model.settled[each.request_id] <= each.deadline(POLICY)
