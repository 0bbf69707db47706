"""Tests of weaker finality rules, and of the finding of a finality lag."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH, stamp

from paimon.domain.chain.finality import CHAIN_RULES, FinalityRule, FinalityTag, weaker_rule_reason
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.finality_lag import FinalityLag, FindingWatch, finality_lag_finding
from paimon.domain.risk.risk_event import Severity

pytestmark = pytest.mark.unit

BSC, LOCAL = CHAIN_RULES[56], CHAIN_RULES[31337]
LIMIT = FinalityLag(200, 120)


@pytest.mark.parametrize(
    ("configured", "chain_rule", "expected"),
    [
        (BSC, BSC, None),
        (FinalityRule(FinalityTag.FINALIZED, turn_length=32), BSC, None),
        (FinalityRule(FinalityTag.FINALIZED, turn_length=8), BSC, "turns of 8 blocks are shorter"),
        (FinalityRule(FinalityTag.FINALIZED), BSC, None),
        (FinalityRule(FinalityTag.FINALIZED, depth=1), BSC, None),
        (FinalityRule(depth=176), BSC, None),
        (FinalityRule(depth=175), BSC, "fewer than the 176"),
        (FinalityRule(FinalityTag.SAFE, depth=500), BSC, "tag safe is not the chain's own"),
        (FinalityRule(FinalityTag.FINALIZED, depth=12), LOCAL, None),
        (FinalityRule(depth=10_000), LOCAL, "a depth alone"),
        (FinalityRule(FinalityTag.SAFE), LOCAL, "tag safe"),
        (FinalityRule(FinalityTag.FINALIZED, turn_length=16), LOCAL, "no turns"),
    ],
)
def test_rule_is_weaker_when_it_may_be_earlier_than_chains(
    configured: FinalityRule, chain_rule: FinalityRule, expected: str | None
) -> None:
    reason = weaker_rule_reason(configured, chain_rule)
    assert reason is None if expected is None else reason is not None and expected in reason


rules = st.builds(
    FinalityRule,
    st.sampled_from([None, *FinalityTag]),
    st.none() | st.integers(1, 1_000),
    st.none() | st.integers(1, 64),
).filter(lambda rule: rule.tag is not FinalityTag.SAFE or rule.turn_length is None)


def final_by(rule: FinalityRule, head: int, tags: dict[FinalityTag, int | None]) -> int | None:
    """Apply the rule in the plainest way; None where the node cannot answer it."""
    found: list[int] = []
    if rule.turn_length is not None:
        tagged = tags[FinalityTag.FINALIZED]
        found.append(head - rule.turns_depth if tagged is None else tagged)
    elif rule.tag is not None:
        if (number := tags[rule.tag]) is None:
            return None
        found.append(number)
    if rule.depth is not None:
        found.append(head - rule.depth)
    return min(found)


@given(rules, st.sampled_from([BSC, LOCAL]), st.integers(0, 175), st.integers(0, 175), st.booleans())
def test_rule_not_called_weaker_is_never_earlier_than_chains(
    configured: FinalityRule, chain_rule: FinalityRule, one: int, other: int, has_tags: bool
) -> None:
    """The node's tag is less deep than the chain's turns, as on a working chain, or the node has no tag."""
    head, (safe, finalized) = 10_000, sorted((one, other))
    tags = {
        FinalityTag.SAFE: head - safe if has_tags else None,
        FinalityTag.FINALIZED: head - finalized if has_tags else None,
    }
    if (configured.tag is None and configured.depth is None and configured.turn_length is None) or weaker_rule_reason(
        configured, chain_rule
    ) is not None:
        return
    theirs, ours = final_by(configured, head, tags), final_by(chain_rule, head, tags)
    assert theirs is None or (ours is not None and theirs <= ours)


def at(number: int, seconds: float) -> BlockStamp:
    return BlockStamp(number, stamp(number).hash, EPOCH + timedelta(seconds=seconds))


def test_finality_lag_is_found_beyond_either_limit_and_critical_beyond_five() -> None:
    within = FinalityLag.between(at(100, 0), at(300, 120))
    assert within == FinalityLag(200, 120)
    assert finality_lag_finding(within, LIMIT) is None
    for lag, severity in (
        (FinalityLag(201, 0), Severity.WARNING),
        (FinalityLag(0, 121), Severity.WARNING),
        (FinalityLag(1_000, 600), Severity.WARNING),
        (FinalityLag(1_001, 0), Severity.CRITICAL),
        (FinalityLag(0, 601), Severity.CRITICAL),
    ):
        found = finality_lag_finding(lag, LIMIT)
        assert found is not None
        assert found.severity is severity
        assert found.expected == "at most 200 blocks, 120 s"


def test_final_block_ahead_of_earlier_head_is_no_lag() -> None:
    assert FinalityLag.between(at(101, 1), at(100, 0)) == FinalityLag(0, 0)


@given(st.lists(st.tuples(st.floats(0, 60), st.booleans()), min_size=1, max_size=30), st.floats(1, 100))
def test_finding_has_lasted_when_every_check_in_grace_period_found_it(
    checks: list[tuple[float, bool]], grace_seconds: float
) -> None:
    beyond = finality_lag_finding(FinalityLag(1_000, 0), LIMIT)
    watch, clock, run_began = FindingWatch(), 0.0, None
    for pause, is_beyond in checks:
        clock += pause
        watch = watch.after(beyond if is_beyond else None, at_seconds=clock)
        run_began = (clock if run_began is None else run_began) if is_beyond else None
        expected = run_began is not None and clock - run_began >= grace_seconds
        assert watch.has_lasted(at_seconds=clock, grace_seconds=grace_seconds) is expected
