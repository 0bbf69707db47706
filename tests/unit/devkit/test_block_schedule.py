"""The schedule of a lasting chain's blocks: often while people wait for one to be final, rarely otherwise."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon_devkit.stack.block_producer import BlockPace, BlockSchedule

pytestmark = pytest.mark.unit

PACE = BlockPace(busy_seconds=3, idle_seconds=300)
FINALITY = 2


@dataclass
class Chain:
    """A chain of block times, by a clock that a test moves."""

    schedule: BlockSchedule = field(default_factory=lambda: BlockSchedule(PACE, blocks_to_finality=FINALITY))
    block_times: list[float] = field(default_factory=lambda: [0.0])
    now: float = 0.0
    pending: bool = False

    @property
    def head(self) -> int:
        return len(self.block_times) - 1

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.schedule.observe(self.head, at=self.now)
            if self.schedule.is_due(pending=self.pending, at=self.now):
                self.schedule.add_block(pending=self.pending, at=self.now)
                self.block_times.append(self.now)
                self.pending = False
            self.now += 0.5

    def make_block_by_another(self) -> None:
        self.block_times.append(self.now)


def test_idle_chain_makes_few_blocks_and_finalises_each() -> None:
    chain = Chain()
    chain.run(86_400)
    assert chain.head <= 3 * 86_400 / PACE.idle_seconds
    pauses = [later - earlier for earlier, later in itertools.pairwise(chain.block_times)]
    assert pauses[:2] == [3, 3]
    assert set(pauses) == {3, 300}
    assert all(pauses[place + 1 : place + 3] == [3, 3] for place, pause in enumerate(pauses[:-2]) if pause == 300)


@given(st.floats(0, 1_000))
def test_transaction_is_final_soon_however_long_the_chain_was_idle(idle_seconds: float) -> None:
    chain = Chain()
    chain.run(idle_seconds)
    chain.pending, before, sent_at = True, chain.head, chain.now
    chain.run((1 + FINALITY) * (PACE.busy_seconds + 0.5))
    assert chain.block_times[before + 1] <= sent_at + PACE.busy_seconds
    assert chain.head >= before + 1 + FINALITY


@given(st.floats(0, 1_000))
def test_block_that_another_made_is_final_soon(idle_seconds: float) -> None:
    chain = Chain()
    chain.run(idle_seconds)
    chain.make_block_by_another()
    moved = chain.head
    chain.run(FINALITY * (PACE.busy_seconds + 0.5))
    assert chain.head >= moved + FINALITY
