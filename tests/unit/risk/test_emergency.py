"""The emergency protocol: each transition by itself, and a model that plays chain, clock and people against it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.emergency import (
    CONTAINING_MAX,
    CONTAINING_STEPS,
    ENDED,
    LEAVING_STEPS,
    SEEN_AGE_MAX,
    STEPS,
    AlreadySigned,
    Emergency,
    EmergencyEnded,
    EmergencyState,
    EntryKind,
    PlanSeen,
    Seen,
    StepKind,
    StepNotOpen,
    StepStatus,
    advance,
    decline,
    drill_view,
    is_due,
    require_step,
    sign_in_drill,
    stand_down,
)
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.domain.transaction.plan import PlanStatus
from paimon.domain.vault.fund_snapshot import OperationalFlags

pytestmark = pytest.mark.unit

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
SETTLING: Final = timedelta(minutes=15)
OFF: Final = OperationalFlags(vault_paused=False, manager_paused=False, controller_paused=False, emergency_mode=False)
RECENT: Final = START + timedelta(days=1)
PERSON: Final = Address(bytes(20))
PLAN: Final = UUID(int=7)
OPEN_OR_DECIDED: Final = frozenset(
    {PlanStatus.AWAITING_OWNERS, PlanStatus.IN_PROGRESS, PlanStatus.DONE, PlanStatus.PARTIALLY_DONE, PlanStatus.REJECTED}
)
"""Every other plan came to nothing."""


def seen(level: RiskLevel = RiskLevel.CRITICAL, minutes: float = 0, **changes: object) -> Seen:
    found = Seen(
        now=START + timedelta(minutes=minutes),
        block=100 + int(minutes),
        level=level,
        level_since=START,
        flags=OFF,
        missing=RawAmount(500),
        sellable=RawAmount(800),
        exit_warning="rcr_1d is 0.4",
        plans={},
        as_of=RECENT,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def declared(*, is_drill: bool = False) -> Emergency:
    state = EmergencyState.ARMED if is_drill else EmergencyState.DECLARED
    return Emergency(1, is_drill, state, START, START, START)


def advanced(emergency: Emergency, *looks: Seen) -> Emergency:
    for look in looks:
        emergency = advance(emergency, look, settling=SETTLING).emergency
    return emergency


def status(emergency: Emergency, kind: StepKind) -> StepStatus | None:
    step = emergency.step(kind)
    return None if step is None else step.status


def plan_for(emergency: Emergency, kind: StepKind, found: PlanStatus, **changes: object) -> dict[str, PlanSeen]:
    step = emergency.step(kind)
    assert step is not None
    plan = PlanSeen(PLAN, found, block=None, has_step_calls=True)
    return {emergency.key(step): replace(plan, **changes)}  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [level for level in RiskLevel if level is not RiskLevel.CRITICAL])
def test_only_the_critical_level_declares(level: RiskLevel) -> None:
    assert not is_due(level, START, None)
    assert is_due(RiskLevel.CRITICAL, START, None)


def test_critical_level_that_was_answered_declares_no_second_emergency() -> None:
    ended = stand_down(declared(), "false alarm", by=PERSON, now=START).emergency
    assert not is_due(RiskLevel.CRITICAL, START, declared())
    assert not is_due(RiskLevel.CRITICAL, START, ended)
    assert is_due(RiskLevel.CRITICAL, START + timedelta(seconds=1), ended)


def test_second_critical_level_within_an_emergency_is_answered_by_it() -> None:
    again = START + timedelta(hours=1)
    emergency = advanced(declared(), seen(level_since=again))
    assert not is_due(RiskLevel.CRITICAL, again, stand_down(emergency, "known", by=PERSON, now=again).emergency)


def test_containing_proposes_the_pauses_and_only_offers_the_exit_in_a_shortage() -> None:
    containing = advanced(declared(), seen())
    assert containing.state is EmergencyState.CONTAINING
    assert [(step.kind, step.is_selected) for step in containing.steps] == [
        (StepKind.PAUSE_VAULT, True),
        (StepKind.PAUSE_REDEMPTIONS, True),
        (StepKind.OPEN_EXIT, False),
    ]
    well_covered = advanced(declared(), seen(exit_warning=None)).step(StepKind.OPEN_EXIT)
    assert well_covered is not None
    assert well_covered.is_selected


def test_what_is_paused_already_is_not_proposed() -> None:
    containing = advanced(declared(), seen(flags=replace(OFF, vault_paused=True)))
    assert containing.step(StepKind.PAUSE_VAULT) is None


@pytest.mark.parametrize(("minutes", "state"), [(29.9, EmergencyState.CONTAINING), (30, EmergencyState.FREEING)])
def test_freeing_waits_for_the_pauses_half_an_hour_at_most(minutes: float, state: EmergencyState) -> None:
    assert timedelta(minutes=30) == CONTAINING_MAX
    assert advanced(declared(), seen(), seen(minutes=minutes)).state is state


def test_freeing_begins_when_each_pause_is_done_or_declined() -> None:
    containing = decline(advanced(declared(), seen()), StepKind.PAUSE_VAULT, "no", by=PERSON, now=START).emergency
    freeing = advanced(containing, seen(flags=replace(OFF, manager_paused=True)))
    assert freeing.state is EmergencyState.FREEING
    assert status(freeing, StepKind.PAUSE_REDEMPTIONS) is StepStatus.DONE


def test_freeing_proposes_what_the_waterfall_reaches_and_names_the_rest() -> None:
    freeing = advanced(declared(), seen(), seen(minutes=31, missing=RawAmount(1_000)))
    step = freeing.step(StepKind.FREE_LIQUIDITY)
    assert step is not None
    assert step.amount == 800
    assert "200 more must come from L3" in (step.warning or "")


@pytest.mark.parametrize(("block", "proposals"), [(134, 1), (135, 2)])
def test_more_is_freed_only_after_a_block_shows_what_was(block: int, proposals: int) -> None:
    freeing = advanced(declared(), seen(), seen(minutes=31))
    plans = plan_for(freeing, StepKind.FREE_LIQUIDITY, PlanStatus.DONE, block=135)
    after = advanced(freeing, seen(minutes=32, block=block, plans=plans))
    assert [step.kind for step in after.steps].count(StepKind.FREE_LIQUIDITY) == proposals


def test_declined_freeing_is_proposed_again_only_after_a_relapse() -> None:
    freeing = advanced(declared(), seen(), seen(minutes=31))
    at = START + timedelta(minutes=32)
    no = decline(freeing, StepKind.FREE_LIQUIDITY, "L3 is sold instead", by=PERSON, now=at).emergency
    assert status(advanced(no, seen(minutes=33)), StepKind.FREE_LIQUIDITY) is StepStatus.DECLINED
    relapsed = advanced(no, seen(RiskLevel.NORMAL, 34), seen(RiskLevel.HIGH, 35))
    assert status(relapsed, StepKind.FREE_LIQUIDITY) is StepStatus.PROPOSED


def test_amount_to_free_follows_the_figures_under_a_new_key_and_is_withdrawn_when_nothing_is_missing() -> None:
    freeing = advanced(declared(), seen(), seen(minutes=31))
    key = freeing.key(require_step(freeing, StepKind.FREE_LIQUIDITY))
    close = advanced(freeing, seen(minutes=32, missing=RawAmount(505)))
    assert close.key(require_step(close, StepKind.FREE_LIQUIDITY)) == key, "a plan may drift by as much"
    more = advanced(close, seen(minutes=33, missing=RawAmount(700)))
    step = require_step(more, StepKind.FREE_LIQUIDITY)
    assert (step.amount, step.attempt, step.proposed_at) == (700, 2, START + timedelta(minutes=33))
    assert key in more.former_keys()
    assert status(advanced(more, seen(minutes=34, missing=RawAmount(0))), StepKind.FREE_LIQUIDITY) is StepStatus.WITHDRAWN


def test_void_plan_to_free_liquidity_is_proposed_again_with_what_is_missing_now() -> None:
    freeing = advanced(declared(), seen(), seen(minutes=31))
    plans = plan_for(freeing, StepKind.FREE_LIQUIDITY, PlanStatus.AWAITING_OWNERS)
    waiting = advanced(freeing, seen(minutes=32, missing=RawAmount(700), plans=plans))
    assert require_step(waiting, StepKind.FREE_LIQUIDITY).amount == 500, "what is signed has its amount"
    ended = {key: replace(plan, status=PlanStatus.CANCELLED) for key, plan in plans.items()}
    again = require_step(advanced(waiting, seen(minutes=33, missing=RawAmount(700), plans=ended)), StepKind.FREE_LIQUIDITY)
    assert (again.status, again.amount, again.earlier_plans) == (StepStatus.PROPOSED, 700, (PLAN,))
    over = advanced(waiting, seen(minutes=33, missing=RawAmount(0), plans=ended)).step(StepKind.FREE_LIQUIDITY)
    assert over is not None
    assert (over.status, over.earlier_plans) == (StepStatus.WITHDRAWN, (PLAN,))


def test_opening_the_exit_is_selected_by_each_look_and_not_by_the_first() -> None:
    covered = advanced(declared(), seen(exit_warning=None))
    assert require_step(covered, StepKind.OPEN_EXIT).is_selected
    look = advance(covered, seen(minutes=1, exit_warning="rcr_1d is 0.9"), settling=SETTLING)
    step = require_step(look.emergency, StepKind.OPEN_EXIT)
    assert (step.is_selected, step.warning) == (False, "rcr_1d is 0.9")
    assert "not selected: rcr_1d is 0.9" in look.entries[-1].text
    submitted = plan_for(covered, StepKind.OPEN_EXIT, PlanStatus.AWAITING_OWNERS)
    waiting = advanced(covered, seen(minutes=1, exit_warning=None, plans=submitted))
    falling = advanced(waiting, seen(minutes=2, exit_warning="rcr_1d is 0.8", plans=submitted))
    step = require_step(falling, StepKind.OPEN_EXIT)
    assert (step.status, step.is_selected, step.warning) == (StepStatus.SUBMITTED, False, "rcr_1d is 0.8")


def test_step_that_the_deployment_cannot_take_says_so_and_is_waited_for_by_no_one() -> None:
    absent = {StepKind.PAUSE_VAULT: "this Vault has no pause()", StepKind.FREE_LIQUIDITY: "no waterfall"}
    containing = decline(
        advanced(declared(), seen(absent=absent)), StepKind.PAUSE_REDEMPTIONS, "no", by=PERSON, now=START
    ).emergency
    step = require_step(containing, StepKind.PAUSE_VAULT)
    assert (step.is_selected, step.warning) == (False, "this Vault has no pause()")
    freeing = advanced(containing, seen(minutes=1, absent=absent))
    assert freeing.state is EmergencyState.FREEING
    step = require_step(freeing, StepKind.FREE_LIQUIDITY)
    assert (step.is_selected, step.warning, step.amount) == (False, "no waterfall", 500)


@pytest.mark.parametrize("ended", [ended for ended in PlanStatus if ended not in OPEN_OR_DECIDED])
def test_step_is_proposed_again_under_a_new_key_when_its_plan_came_to_nothing(ended: PlanStatus) -> None:
    containing = advanced(declared(), seen())
    before = containing.key(require_step(containing, StepKind.PAUSE_VAULT))
    plans = plan_for(containing, StepKind.PAUSE_VAULT, ended)
    after = advanced(containing, seen(minutes=1, plans=plans))
    assert status(after, StepKind.PAUSE_VAULT) is StepStatus.PROPOSED
    assert after.key(require_step(after, StepKind.PAUSE_VAULT)) != before


def test_rejected_plan_declines_its_step() -> None:
    containing = advanced(declared(), seen())
    plans = plan_for(containing, StepKind.PAUSE_VAULT, PlanStatus.REJECTED)
    assert status(advanced(containing, seen(plans=plans)), StepKind.PAUSE_VAULT) is StepStatus.DECLINED


@pytest.mark.parametrize("kind", [StepKind.PAUSE_VAULT, StepKind.FREE_LIQUIDITY])
def test_superseded_plan_is_no_rejection_and_is_proposed_again_once_a_block_shows_what_was_executed(kind: StepKind) -> None:
    """The owners executed another transaction at the nonce, such as one that the Safe had waiting."""
    freeing = advanced(declared(), seen(), seen(minutes=31))
    plans = plan_for(freeing, kind, PlanStatus.AWAITING_OWNERS)
    waiting = advanced(freeing, seen(minutes=32, plans=plans))
    unseen = {key: replace(plan, status=PlanStatus.REJECTED, is_superseded=True) for key, plan in plans.items()}
    still = advanced(waiting, seen(minutes=33, missing=RawAmount(700), plans=unseen))
    assert status(still, kind) is StepStatus.SUBMITTED
    shown = {key: replace(plan, block=134) for key, plan in unseen.items()}
    again = require_step(advanced(still, seen(minutes=34, missing=RawAmount(700), plans=shown)), kind)
    assert (again.status, again.attempt, again.plan_id) == (StepStatus.PROPOSED, 2, None)
    assert again.amount == (700 if kind is StepKind.FREE_LIQUIDITY else None)


def test_foreign_plan_with_a_steps_key_is_not_taken_for_it() -> None:
    containing = advanced(declared(), seen())
    plans = plan_for(containing, StepKind.PAUSE_VAULT, PlanStatus.IN_PROGRESS, has_step_calls=False)
    after = advanced(containing, seen(plans=plans))
    step = require_step(after, StepKind.PAUSE_VAULT)
    assert (step.status, step.attempt, step.plan_id) == (StepStatus.PROPOSED, 2, None)


def leaving(**changes: object) -> Emergency:
    calm = seen(RiskLevel.NORMAL, 40, **changes)
    return advanced(declared(), seen(), calm, replace(calm, now=calm.now + SETTLING))


@pytest.mark.parametrize(("seconds", "state"), [(-1, EmergencyState.STABLE), (0, EmergencyState.LEAVING)])
def test_stable_lasts_the_settling_time(seconds: int, state: EmergencyState) -> None:
    calm = seen(RiskLevel.ELEVATED, 40)
    after = replace(calm, now=calm.now + SETTLING + timedelta(seconds=seconds))
    assert advanced(declared(), seen(), calm, after).state is state


@pytest.mark.parametrize(("seconds", "is_recent"), [(0, True), (1, False)])
def test_nothing_is_left_or_closed_on_old_figures(seconds: int, is_recent: bool) -> None:
    """The node is away after the first calm assessment; it may be anything but calm by now."""
    calm = seen(RiskLevel.NORMAL, 40)
    settled = calm.now + SETTLING
    age = SEEN_AGE_MAX + timedelta(seconds=seconds)
    stable = advanced(declared(), seen(), calm)
    after = advanced(stable, replace(calm, now=settled, as_of=settled - age))
    assert after.state is (EmergencyState.LEAVING if is_recent else EmergencyState.STABLE)
    ending = advanced(leaving(), seen(RiskLevel.NORMAL, 60, as_of=START + timedelta(minutes=60) - age))
    assert ending.state is (EmergencyState.CLOSED if is_recent else EmergencyState.LEAVING)
    relapsed = advanced(leaving(), seen(RiskLevel.HIGH, 60, as_of=START))
    assert relapsed.state is EmergencyState.FREEING, "protection does not wait for newer figures"


SAFE_TRANSACTION: Final = Hash32(b"\xab" * 32)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, EmergencyState.LEAVING),
        ({"status": PlanStatus.IN_PROGRESS}, EmergencyState.LEAVING),
        ({"status": PlanStatus.EXPIRED, "safe_transaction": SAFE_TRANSACTION}, EmergencyState.LEAVING),
        ({"status": PlanStatus.REJECTED, "safe_transaction": SAFE_TRANSACTION}, EmergencyState.LEAVING),
        ({"status": PlanStatus.DONE}, EmergencyState.LEAVING),
        ({"status": PlanStatus.DONE, "block": 161}, EmergencyState.LEAVING),
        ({"status": PlanStatus.DONE, "block": 160}, EmergencyState.CLOSED),
        ({"status": PlanStatus.REJECTED}, EmergencyState.CLOSED),
        ({"status": PlanStatus.FAILED}, EmergencyState.CLOSED),
        ({"has_step_calls": False}, EmergencyState.CLOSED),
    ],
)
@pytest.mark.parametrize("kind", CONTAINING_STEPS)
def test_emergency_stays_open_while_a_withdrawn_pause_can_still_take_effect(
    kind: StepKind, changes: dict[str, object], state: EmergencyState
) -> None:
    """Closed before, the vault would be paused with no emergency and no event."""
    containing = advanced(declared(), seen())
    plans = plan_for(containing, kind, PlanStatus.AWAITING_OWNERS)
    calm = seen(RiskLevel.NORMAL, 40, plans=plans)
    left = advanced(containing, seen(minutes=1, plans=plans), calm, replace(calm, now=calm.now + SETTLING))
    assert (left.state, status(left, kind)) == (EmergencyState.LEAVING, StepStatus.WITHDRAWN)
    now = {key: replace(plan, **changes) for key, plan in plans.items()}  # type: ignore[arg-type]
    assert advanced(left, seen(RiskLevel.NORMAL, 60, plans=now)).state is state


def test_pause_that_a_person_declined_holds_the_end_up_until_its_safe_transaction_is_rejected() -> None:
    containing = advanced(declared(), seen())
    plans = plan_for(containing, StepKind.PAUSE_VAULT, PlanStatus.AWAITING_OWNERS)
    declined = decline(containing, StepKind.PAUSE_VAULT, "no", by=PERSON, now=START).emergency
    calm = seen(RiskLevel.NORMAL, 40, plans=plans)
    left = advanced(declined, calm, replace(calm, now=calm.now + SETTLING), seen(RiskLevel.NORMAL, 60, plans=plans))
    assert left.state is EmergencyState.LEAVING
    rejected = {key: replace(plan, status=PlanStatus.REJECTED) for key, plan in plans.items()}
    assert advanced(left, seen(RiskLevel.NORMAL, 61, plans=rejected)).state is EmergencyState.CLOSED


def test_plan_that_the_owners_can_still_execute_is_named_when_its_step_ends() -> None:
    left = SAFE_TRANSACTION
    containing = advanced(declared(), seen())
    plans = plan_for(containing, StepKind.PAUSE_VAULT, PlanStatus.EXPIRED, safe_transaction=left)
    again = advance(containing, seen(minutes=1, plans=plans), settling=SETTLING)
    (entry,) = [entry for entry in again.entries if entry.step is StepKind.PAUSE_VAULT]
    assert f"the owners are to reject Safe transaction 0x{left.hex()}" in entry.text
    used = plan_for(containing, StepKind.PAUSE_VAULT, PlanStatus.FAILED)
    again = advance(containing, seen(minutes=1, plans=used), settling=SETTLING)
    assert not any("reject" in entry.text for entry in again.entries)


def test_level_that_becomes_critical_again_while_freeing_has_the_pauses_proposed_again() -> None:
    """LEAVING with the vault open again → HIGH → CRITICAL, and from FREEING alone."""
    opened = advanced(leaving(flags=replace(OFF, vault_paused=True, manager_paused=True)), seen(RiskLevel.HIGH, 60))
    assert opened.state is EmergencyState.FREEING
    declined = decline(opened, StepKind.PAUSE_VAULT, "high only", by=PERSON, now=START).emergency
    worse = START + timedelta(minutes=61)
    relapsed = advanced(declined, seen(minutes=61, level_since=worse))
    assert (relapsed.state, relapsed.critical_since) == (EmergencyState.CONTAINING, worse)
    assert status(relapsed, StepKind.PAUSE_VAULT) is StepStatus.PROPOSED
    after = advanced(relapsed, seen(minutes=92, level_since=worse), seen(minutes=93, level_since=worse))
    assert after.state is EmergencyState.FREEING, "the same level is answered once"


@pytest.mark.parametrize("level", [RiskLevel.HIGH, RiskLevel.CRITICAL])
@pytest.mark.parametrize("minutes", [1, 40])
def test_pause_that_ends_in_an_emergency_is_proposed_again(level: RiskLevel, minutes: int) -> None:
    """Such as by an unpause that an owner signs late."""
    paused = replace(OFF, vault_paused=True)
    contained = advanced(declared(), seen(flags=OFF), seen(flags=paused), seen(level, minutes, flags=paused))
    assert status(contained, StepKind.PAUSE_VAULT) is StepStatus.DONE
    opened = advanced(contained, seen(level, minutes + 1))
    step = require_step(opened, StepKind.PAUSE_VAULT)
    assert (step.status, step.attempt) == (StepStatus.PROPOSED, 2)
    no = decline(opened, StepKind.PAUSE_VAULT, "on purpose", by=PERSON, now=START).emergency
    assert status(advanced(no, seen(level, minutes + 2)), StepKind.PAUSE_VAULT) is StepStatus.DECLINED


def test_stable_proposes_nothing_new_and_keeps_what_is_open_until_leaving() -> None:
    calm = seen(RiskLevel.NORMAL, 40)
    stable = advanced(declared(), seen(), seen(minutes=31), calm)
    assert stable.state is EmergencyState.STABLE
    assert {StepKind.PAUSE_VAULT, StepKind.FREE_LIQUIDITY} <= {step.kind for step in stable.steps if step.is_open}
    left = advanced(stable, replace(calm, now=calm.now + SETTLING))
    assert {step.status for step in left.steps} == {StepStatus.WITHDRAWN}


@pytest.mark.parametrize(
    ("level", "state"),
    [(RiskLevel.HIGH, EmergencyState.FREEING), (RiskLevel.CRITICAL, EmergencyState.CONTAINING)],
)
def test_relapse_goes_back_and_withdraws_what_would_end_the_protection(level: RiskLevel, state: EmergencyState) -> None:
    paused = replace(OFF, vault_paused=True)
    before = leaving(flags=paused)
    assert status(before, StepKind.UNPAUSE_VAULT) is StepStatus.PROPOSED
    relapsed = advanced(before, seen(level, 60, flags=paused))
    assert relapsed.state is state
    assert status(relapsed, StepKind.UNPAUSE_VAULT) is StepStatus.WITHDRAWN


def test_closed_when_nothing_is_paused_or_open() -> None:
    flags = replace(OFF, vault_paused=True, emergency_mode=True)
    before = leaving(flags=flags)
    assert [step.kind for step in before.steps if step.is_open] == [StepKind.UNPAUSE_VAULT, StepKind.CLOSE_EXIT]
    half = advanced(before, seen(RiskLevel.NORMAL, 60, flags=replace(flags, vault_paused=False)))
    assert half.state is EmergencyState.LEAVING
    closed = advanced(half, seen(RiskLevel.NORMAL, 61))
    assert closed.state is EmergencyState.CLOSED
    assert closed.ended_at == START + timedelta(minutes=61)


def test_pause_that_is_kept_on_purpose_does_not_hold_the_end_up() -> None:
    paused = replace(OFF, vault_paused=True)
    before = decline(leaving(flags=paused), StepKind.UNPAUSE_VAULT, "kept", by=PERSON, now=START).emergency
    assert advanced(before, seen(RiskLevel.NORMAL, 60, flags=paused)).state is EmergencyState.CLOSED


def test_late_pause_is_proposed_to_be_ended_before_the_end() -> None:
    paused = replace(OFF, manager_paused=True)
    before = leaving(flags=replace(OFF, vault_paused=True))
    late = advanced(before, seen(RiskLevel.NORMAL, 60, flags=paused))
    assert late.state is EmergencyState.LEAVING
    assert status(late, StepKind.UNPAUSE_REDEMPTIONS) is StepStatus.PROPOSED


def test_ended_emergency_changes_no_more() -> None:
    ended = stand_down(declared(), "false alarm", by=PERSON, now=START).emergency
    with pytest.raises(EmergencyEnded, match="emergency 1 is STOOD_DOWN since 2026-03-01 00:00 UTC"):
        advance(ended, seen(), settling=SETTLING)
    with pytest.raises(EmergencyEnded):
        stand_down(ended, "again", by=PERSON, now=START)
    with pytest.raises(EmergencyEnded):
        decline(ended, StepKind.PAUSE_VAULT, "no", by=PERSON, now=START)


def test_step_that_is_not_open_is_not_declined() -> None:
    containing = advanced(declared(), seen())
    with pytest.raises(StepNotOpen, match="CLOSE_EXIT of emergency 1 was not proposed; open steps: PAUSE_VAULT, PAUSE_RED"):
        decline(containing, StepKind.CLOSE_EXIT, "no", by=PERSON, now=START)


def drill_look(drill: Emergency, minutes: float) -> Seen:
    return drill_view(drill, seen(RiskLevel.NORMAL, minutes))


def test_drill_runs_to_its_end_on_signatures_alone() -> None:
    drill, signers, rounds = declared(is_drill=True), [Address(bytes([n]) * 20) for n in range(1, 4)], 0
    visited = [drill.state]
    while drill.state not in ENDED:
        rounds += 1
        assert rounds < 20, visited
        drill = advance(drill, drill_look(drill, rounds), settling=timedelta(0)).emergency
        visited.append(drill.state)
        for step in [step for step in drill.steps if step.is_open]:
            for count, by in enumerate(signers):
                before = frozenset(signers[:count])
                drill = sign_in_drill(drill, step.kind, before, by=by, threshold=3, now=START, block=1).emergency
    order = list(dict.fromkeys(visited))
    assert order == [state for state in EmergencyState if state is not EmergencyState.STOOD_DOWN]
    assert {step.kind for step in drill.steps} == set(StepKind)


def test_person_signs_a_step_of_a_drill_once() -> None:
    drill = declared(is_drill=True)
    for minutes in (1, 2):
        drill = advance(drill, drill_look(drill, minutes), settling=timedelta(0)).emergency
    with pytest.raises(AlreadySigned):
        sign_in_drill(drill, StepKind.PAUSE_VAULT, frozenset({PERSON}), by=PERSON, threshold=3, now=START, block=1)


_UNSET: Final = {StepKind.UNPAUSE_VAULT, StepKind.UNPAUSE_REDEMPTIONS, StepKind.CLOSE_EXIT}
_FLAG: Final = {
    StepKind.PAUSE_VAULT: "vault_paused",
    StepKind.UNPAUSE_VAULT: "vault_paused",
    StepKind.PAUSE_REDEMPTIONS: "manager_paused",
    StepKind.UNPAUSE_REDEMPTIONS: "manager_paused",
    StepKind.OPEN_EXIT: "emergency_mode",
    StepKind.CLOSE_EXIT: "emergency_mode",
}


@dataclass
class _World:
    """The chain, the clock and the plans that the protocol is played against."""

    now: datetime = START
    as_of: datetime = START
    block: int = 100
    level: RiskLevel = RiskLevel.CRITICAL
    level_since: datetime = START
    flags: OperationalFlags = OFF
    missing: int = 500
    exit_warning: str | None = "a reason"
    plans: dict[str, PlanSeen] = field(default_factory=dict)
    kinds: dict[str, StepKind] = field(default_factory=dict)
    freed: dict[str, int] = field(default_factory=dict)

    def look(self) -> Seen:
        amount, sellable = RawAmount(self.missing), RawAmount(800)
        return Seen(
            self.now,
            self.block,
            self.level,
            self.level_since,
            self.flags,
            amount,
            sellable,
            self.exit_warning,
            dict(self.plans),
            as_of=self.as_of,
        )


def _without_texts(emergency: Emergency) -> Emergency:
    """Leave out what follows each look without a word: which level was answered, and the words of a warning."""
    steps = tuple(replace(step, warning=None) for step in emergency.steps)
    return replace(emergency, steps=steps, critical_since=START)


class EmergencyModel(RuleBasedStateMachine):
    """People submit, sign, reject and decline at random while levels and flags change, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world, self.emergency = _World(), declared()
        self.keys: set[str] = set()

    def open_kinds(self) -> list[StepKind]:
        return [] if self.emergency.ended_at else [step.kind for step in self.emergency.steps if step.is_open]

    @rule(level=st.sampled_from(list(RiskLevel)))
    def level_changes(self, level: RiskLevel) -> None:
        if level is not self.world.level:
            self.world.level, self.world.level_since = level, self.world.now

    @rule(minutes=st.integers(1, 40))
    def time_passes(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)
        self.world.as_of = self.world.now
        self.world.block += minutes

    @rule(minutes=st.integers(1, 40))
    def node_is_away(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @rule(missing=st.integers(0, 2_000))
    def requests_change(self, missing: int) -> None:
        self.world.missing = missing

    @rule(exit_warning=st.sampled_from([None, "a reason", "another"]))
    def cover_of_a_day_changes(self, exit_warning: str | None) -> None:
        self.world.exit_warning = exit_warning

    @rule(name=st.sampled_from(sorted(set(_FLAG.values()))), value=st.booleans())
    def stranger_changes_a_flag(self, name: str, value: bool) -> None:
        self.world.flags = replace(self.world.flags, **{name: value})

    @precondition(lambda self: self.open_kinds())
    @rule(data=st.data())
    def person_submits_a_step(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(self.open_kinds()))
        key = self.emergency.key(require_step(self.emergency, kind))
        if key not in self.world.plans:
            self.world.plans[key] = PlanSeen(uuid4(), PlanStatus.AWAITING_OWNERS, None, has_step_calls=data.draw(st.booleans()))
            self.world.kinds[key] = kind

    @precondition(lambda self: any(plan.status is PlanStatus.AWAITING_OWNERS for plan in self.world.plans.values()))
    @rule(data=st.data(), ended=st.sampled_from([PlanStatus.DONE, PlanStatus.REJECTED, PlanStatus.EXPIRED, PlanStatus.FAILED]))
    def plan_ends(self, data: st.DataObject, ended: PlanStatus) -> None:
        waiting = [key for key, plan in self.world.plans.items() if plan.status is PlanStatus.AWAITING_OWNERS]
        key = data.draw(st.sampled_from(waiting))
        plan, kind = self.world.plans[key], self.world.kinds[key]
        self.world.plans[key] = replace(plan, status=ended, block=self.world.block + 1 if ended is PlanStatus.DONE else None)
        if ended is PlanStatus.DONE and plan.has_step_calls:
            if kind in _FLAG:
                self.world.flags = replace(self.world.flags, **{_FLAG[kind]: kind not in _UNSET})
            else:
                self.world.freed[key] = self.world.block + 1

    @precondition(lambda self: self.open_kinds())
    @rule(data=st.data())
    def person_declines_a_step(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(self.open_kinds()))
        self.emergency = decline(self.emergency, kind, "no", by=PERSON, now=self.world.now).emergency

    @precondition(lambda self: self.emergency.ended_at is None)
    @rule()
    def worker_looks(self) -> None:
        before, look = self.emergency, self.world.look()
        after = advance(before, look, settling=SETTLING)
        assert after.entries or _without_texts(after.emergency) == _without_texts(before), "no change is silent"
        self.emergency = after.emergency
        states = [entry for entry in after.entries if entry.kind is EntryKind.STATE]
        assert len(states) == (self.emergency.state is not before.state), "one transition at a time, each told once"
        self._check_transition(before.state, look)
        self._check_protection(before, look)
        for step in self.emergency.steps[len(before.steps) :]:
            key = self.emergency.key(step)
            assert key not in self.keys, "a key stands for one plan"
            self.keys.add(key)
            if step.kind is StepKind.FREE_LIQUIDITY:
                shown = [block for freed, block in self.world.freed.items() if freed.startswith(key.rsplit("-", 1)[0])]
                assert all(block <= look.block for block in shown), "what was freed is in a block before more is proposed"

    def _check_protection(self, before: Emergency, look: Seen) -> None:
        """Until the level is calm, each pause is there, proposed or declined; a new CRITICAL level has none declined."""
        state = self.emergency.state
        if look.is_calm or state not in {EmergencyState.CONTAINING, EmergencyState.FREEING}:
            return
        is_new = look.level is RiskLevel.CRITICAL and look.level_since > before.critical_since
        asked = is_new and before.state in {EmergencyState.FREEING, EmergencyState.STABLE, EmergencyState.LEAVING}
        assert not asked or state is EmergencyState.CONTAINING
        for kind in CONTAINING_STEPS:
            step, wanted = self.emergency.step(kind), STEPS[kind].wanted
            if wanted is None or wanted(look.flags):
                continue
            assert step is not None
            assert step.is_open or (step.status is StepStatus.DECLINED and not asked)
        step = self.emergency.step(StepKind.OPEN_EXIT)
        if step is not None and step.is_open:
            assert (step.is_selected, step.warning) == (look.exit_warning is None, look.exit_warning)

    def _check_transition(self, before: EmergencyState, look: Seen) -> None:
        match self.emergency.state:
            case EmergencyState.CLOSED:
                declined = {kind for kind in LEAVING_STEPS if status(self.emergency, kind) is StepStatus.DECLINED}
                left = {kind for kind in LEAVING_STEPS if not (wanted := STEPS[kind].wanted) or not wanted(look.flags)}
                assert look.is_calm
                assert look.now - look.as_of <= SEEN_AGE_MAX
                assert left <= declined
                for key, plan in look.plans.items():
                    if self.world.kinds[key] in CONTAINING_STEPS and plan.has_step_calls and self._is_of_this_one(key):
                        assert plan.status is not PlanStatus.AWAITING_OWNERS, "no pause can still take effect"
                        assert plan.block is None or plan.block <= look.block
            case EmergencyState.LEAVING:
                assert look.is_calm
                assert before is EmergencyState.LEAVING or look.now - look.as_of <= SEEN_AGE_MAX
                assert before in {EmergencyState.STABLE, EmergencyState.LEAVING}
            case EmergencyState.STABLE:
                assert look.is_calm

    def _is_of_this_one(self, key: str) -> bool:
        return key.startswith(f"emergency-{self.emergency.id}-")

    @precondition(lambda self: self.emergency.state is EmergencyState.STABLE)
    @rule()
    def person_stands_it_down(self) -> None:
        self.emergency = stand_down(self.emergency, "known", by=PERSON, now=self.world.now).emergency

    @precondition(lambda self: self.emergency.ended_at is not None)
    @rule()
    def level_declares_again(self) -> None:
        if is_due(self.world.level, self.world.level_since, self.emergency):
            assert self.world.level is RiskLevel.CRITICAL
            assert self.world.level_since > self.emergency.critical_since
            self.emergency = replace(
                declared(),
                id=self.emergency.id + 1,
                started_at=self.world.now,
                state_since=self.world.now,
                critical_since=self.world.level_since,
            )

    @invariant()
    def steps_are_consistent(self) -> None:
        kinds = self.open_kinds()
        assert len(kinds) == len(set(kinds)), "one open step of a kind"
        assert (self.emergency.ended_at is not None) == (self.emergency.state in ENDED)
        if self.emergency.state not in {EmergencyState.LEAVING, *ENDED}:
            assert not set(kinds) & set(LEAVING_STEPS), "nothing ends the protection before leaving"
        if self.emergency.state is EmergencyState.LEAVING:
            assert not set(kinds) & set(CONTAINING_STEPS)
        keys = [self.emergency.key(step) for step in self.emergency.steps]
        assert len(keys) == len(set(keys))


EmergencyModel.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestEmergencyModel = EmergencyModel.TestCase
