"""The emergency protocol: a state machine that proposes plans, and that only people's signatures let act.

    ARMED        a drill's breach is not detected yet                     ──► DECLARED
    DECLARED     the evidence is recorded, and people are alerted         ──► CONTAINING
    CONTAINING   the pauses are proposed                                  ──► FREEING when each is done or declined, and
                                                                              after 30 minutes in any case
    FREEING      what is missing for the next 7 days is to be freed       ──► STABLE
    STABLE       the level is ELEVATED or better: nothing new is proposed ──► LEAVING after the policy's settling time
    LEAVING      what is paused or open is to be ended                    ──► CLOSED when nothing is, or people declined it,
                                                                              and no pause can come into effect any more

From CONTAINING and FREEING on, a level of ELEVATED or better leads to STABLE. A level above it leads from STABLE and LEAVING
back to FREEING. A level that has become CRITICAL anew leads to CONTAINING from each of the three. A person may stand an
emergency down at any time (STOOD_DOWN); a drill is stood down when the fund is in an emergency. LEAVING and CLOSED take figures
that are recent: without new ones, nothing says that the level is calm still.

A step is a plan that a person may submit, and that a wallet's owners sign. The protocol never submits one. What a step is for
is judged by the chain's flags at a block, so it does not matter who changed them. While CONTAINING and FREEING last, a pause
that ends is proposed again, unless people declined it.

    PROPOSED ──► SUBMITTED ──► DONE
       │ ▲           │ │
       │ └───────────┘ │                   its plan expired, failed, is void, was cancelled or superseded: proposed again, a
       │               │                   new key
       ├───────────────┴─────► DECLINED    a person declined it, or its plan was rejected
       └───────────────┴─────► WITHDRAWN   what it was proposed for is over

A proposed step follows the figures: opening the exit is selected or not by each look, and an amount to free that has changed by
more than a plan may drift is proposed under a new key.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from paimon.domain.kernel.chain import Address, ContractName, Hash32, hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.domain.transaction.plan import PlanStatus, has_amount_drifted
from paimon.domain.vault.fund_snapshot import OperationalFlags
from paimon.errors import Conflict


class EmergencyState(StrEnum):
    ARMED = "ARMED"
    DECLARED = "DECLARED"
    CONTAINING = "CONTAINING"
    FREEING = "FREEING"
    STABLE = "STABLE"
    LEAVING = "LEAVING"
    CLOSED = "CLOSED"
    STOOD_DOWN = "STOOD_DOWN"


ENDED: Final = frozenset({EmergencyState.CLOSED, EmergencyState.STOOD_DOWN})


class StepKind(StrEnum):
    PAUSE_VAULT = "PAUSE_VAULT"
    PAUSE_REDEMPTIONS = "PAUSE_REDEMPTIONS"
    OPEN_EXIT = "OPEN_EXIT"
    FREE_LIQUIDITY = "FREE_LIQUIDITY"
    UNPAUSE_VAULT = "UNPAUSE_VAULT"
    UNPAUSE_REDEMPTIONS = "UNPAUSE_REDEMPTIONS"
    CLOSE_EXIT = "CLOSE_EXIT"


class StepStatus(StrEnum):
    PROPOSED = "PROPOSED"
    SUBMITTED = "SUBMITTED"
    DONE = "DONE"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"


OPEN_STEPS: Final = frozenset({StepStatus.PROPOSED, StepStatus.SUBMITTED})

CONTAINING_MAX: Final = timedelta(minutes=30)
"""Freeing liquidity is proposed no later. The pauses stay proposed, and those submitted have the Safe's nonces before it."""

SEEN_AGE_MAX: Final = timedelta(minutes=10)
"""Older figures end no protection. At NORMAL the level is assessed each 5 minutes: one assessment may be missing."""

PAUSE_REVIEWED_AFTER: Final = timedelta(hours=24)
"""A pause that was made by the protocol is to be reviewed after this time."""


@dataclass(frozen=True, slots=True)
class StepRule:
    """What a step does. `wanted` reads from the flags whether it is done; without it, its plan decides."""

    contract: ContractName
    function: str
    meaning: str
    wanted: Callable[[OperationalFlags], bool] | None = None
    arguments: Mapping[str, bool] | None = None


STEPS: Final[Mapping[StepKind, StepRule]] = {
    StepKind.PAUSE_VAULT: StepRule(ContractName.VAULT, "pause", "stop subscriptions", lambda flags: flags.vault_paused),
    StepKind.PAUSE_REDEMPTIONS: StepRule(
        ContractName.REDEMPTION_MANAGER,
        "pause",
        "stop new standard and scheduled requests",
        lambda flags: flags.manager_paused,
    ),
    StepKind.OPEN_EXIT: StepRule(
        ContractName.VAULT,
        "setEmergencyMode",
        "open redemptions that are due in a day, which a pause does not close",
        lambda flags: flags.emergency_mode,
        {"enabled": True},
    ),
    StepKind.FREE_LIQUIDITY: StepRule(
        ContractName.ASSET_CONTROLLER,
        "executeWaterfallLiquidation",
        "sell assets of L1 and then of L2 for what is due within 7 days",
    ),
    StepKind.UNPAUSE_VAULT: StepRule(
        ContractName.VAULT, "unpause", "let subscriptions in again", lambda flags: not flags.vault_paused
    ),
    StepKind.UNPAUSE_REDEMPTIONS: StepRule(
        ContractName.REDEMPTION_MANAGER, "unpause", "let new requests in again", lambda flags: not flags.manager_paused
    ),
    StepKind.CLOSE_EXIT: StepRule(
        ContractName.VAULT,
        "setEmergencyMode",
        "close redemptions that are due in a day",
        lambda flags: not flags.emergency_mode,
        {"enabled": False},
    ),
}
"""The AssetController is never paused: that would stop the sale of assets."""

CONTAINING_STEPS: Final = (StepKind.PAUSE_VAULT, StepKind.PAUSE_REDEMPTIONS, StepKind.OPEN_EXIT)
LEAVING_STEPS: Final = (StepKind.UNPAUSE_VAULT, StepKind.UNPAUSE_REDEMPTIONS, StepKind.CLOSE_EXIT)
PAUSES: Final = frozenset({StepKind.PAUSE_VAULT, StepKind.PAUSE_REDEMPTIONS})


@dataclass(frozen=True, slots=True)
class EmergencyStep:
    """One proposed step. `attempt` counts its plans, each with a key of its own.

    `is_selected` is False for a step that people are to choose by themselves; nothing waits for it. `amount` is what it frees.
    `proposed_at` is of this attempt. `earlier_plans` are those of its earlier attempts.
    """

    kind: StepKind
    status: StepStatus
    attempt: int
    since: datetime
    is_selected: bool = True
    amount: RawAmount | None = None
    warning: str | None = None
    plan_id: UUID | None = None
    proposed_at: datetime | None = None
    submitted_at: datetime | None = None
    done_at: datetime | None = None
    done_at_block: int | None = None
    earlier_plans: tuple[UUID, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STEPS

    @property
    def review_at(self) -> datetime | None:
        """When a pause that was made is to be reviewed."""
        is_pause = self.kind in PAUSES and self.status is StepStatus.DONE and self.done_at is not None
        return self.done_at + PAUSE_REVIEWED_AFTER if is_pause and self.done_at is not None else None


class EntryKind(StrEnum):
    """What an entry of the timeline tells."""

    DRILL_STARTED = "DRILL_STARTED"
    STATE = "STATE"
    PROPOSED = "PROPOSED"
    SUBMITTED = "SUBMITTED"
    SIGNED = "SIGNED"
    DONE = "DONE"
    DECLINED = "DECLINED"
    PROPOSED_AGAIN = "PROPOSED_AGAIN"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of the timeline; `actor` is the person who did it, None for the system."""

    kind: EntryKind
    text: str
    step: StepKind | None = None
    actor: Address | None = None


@dataclass(frozen=True, slots=True)
class Emergency:
    """One emergency, or one drill. `critical_since` dates the newest CRITICAL level that it has answered, by its block."""

    id: int
    is_drill: bool
    state: EmergencyState
    started_at: datetime
    state_since: datetime
    critical_since: datetime
    steps: tuple[EmergencyStep, ...] = ()
    ended_at: datetime | None = None
    end_reason: str | None = None

    @property
    def name(self) -> str:
        return f"{'drill' if self.is_drill else 'emergency'} {self.id}"

    def step(self, kind: StepKind) -> EmergencyStep | None:
        """Return the newest step of the kind."""
        return next((step for step in reversed(self.steps) if step.kind is kind), None)

    def key(self, step: EmergencyStep) -> str:
        """Return the idempotency key of the step's plan."""
        return self._key(step.kind, step.attempt)

    def _key(self, kind: StepKind, attempt: int) -> str:
        return f"{self.name} {kind.lower()} {attempt}".replace(" ", "-").replace("_", "-")

    def former_keys(self) -> dict[str, StepKind]:
        """Return the keys of all plans of its steps that are proposed no longer."""
        newest = [step for kind in StepKind if (step := self.step(kind)) is not None]
        keys = {self._key(step.kind, number + 1): step.kind for step in newest for number in range(step.attempt)}
        wanted = {self.key(step) for step in newest if step.is_open}
        return {key: kind for key, kind in keys.items() if key not in wanted}


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """The plan that has a step's key. `block` is one that shows what it did; `has_step_calls` whether it is ours.

    `safe_transaction` is set while the Safe has not used its nonce: until then its owners can have it executed. `is_superseded`
    when they executed another transaction at its nonce, which does not say that they rejected this one.
    """

    id: UUID
    status: PlanStatus
    block: int | None
    has_step_calls: bool
    safe_transaction: Hash32 | None = None
    is_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What the protocol sees now: the level, the flags and the figures at one block, and the plans of its steps by key.

    `missing` is what is due within 7 days beyond the cash; `sellable` is what L1 and L2 have to sell. `exit_warning` says
    why opening the exit is not selected, None where it is. `absent` says by step why the deployment cannot take it. `as_of` is
    the oldest time of what all this was read from.
    """

    now: datetime
    block: int
    level: RiskLevel
    level_since: datetime
    flags: OperationalFlags
    missing: RawAmount
    sellable: RawAmount
    exit_warning: str | None
    plans: Mapping[str, PlanSeen]
    absent: Mapping[StepKind, str] = field(default_factory=dict)
    as_of: datetime = field(kw_only=True)

    @property
    def is_calm(self) -> bool:
        return self.level in {RiskLevel.NORMAL, RiskLevel.ELEVATED}

    @property
    def is_recent(self) -> bool:
        return self.now - self.as_of <= SEEN_AGE_MAX


class EmergencyEnded(Conflict):
    """The emergency has ended."""


class StepNotOpen(Conflict):
    """The step is not open: it is done, declined, or was never proposed."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """An emergency after one transition, with what the timeline is to tell. No entries: nothing changed."""

    emergency: Emergency
    entries: tuple[TimelineEntry, ...]


def is_due(level: RiskLevel, level_since: datetime, last: Emergency | None) -> bool:
    """Report whether a level declares an emergency: CRITICAL, and no emergency has answered it; `last` is the newest one."""
    return level is RiskLevel.CRITICAL and (last is None or (last.ended_at is not None and level_since > last.critical_since))


def advance(emergency: Emergency, seen: Seen, *, settling: timedelta) -> Advanced:
    """Return the emergency after what is due now: the steps as they are, and at most one change of state.

    Raises:
        EmergencyEnded.
    """
    require_open(emergency)
    entries: list[TimelineEntry] = []
    steps = tuple(_refreshed(emergency, step, seen, entries) for step in emergency.steps)
    current = replace(emergency, steps=steps)
    following = _following_state(current, seen, settling)
    if seen.level is RiskLevel.CRITICAL:
        current = replace(current, critical_since=max(current.critical_since, seen.level_since))
    if following is not current.state:
        current = _entered(current, following, seen, entries)
    if following is EmergencyState.LEAVING:
        current = _proposed(current, _not_declined(current, LEAVING_STEPS), seen, entries)
    if following in _PROTECTING and not seen.is_calm:
        current = _proposed(current, _not_declined(current, CONTAINING_STEPS), seen, entries)
    if following is EmergencyState.FREEING:
        current = _free_liquidity(current, seen, entries)
    return Advanced(current, tuple(entries))


_PROTECTING: Final = frozenset({EmergencyState.CONTAINING, EmergencyState.FREEING})
"""The states in which a pause that is not there is proposed."""


def _following_state(emergency: Emergency, seen: Seen, settling: timedelta) -> EmergencyState:
    state, is_critical = emergency.state, seen.level is RiskLevel.CRITICAL
    match state:
        case EmergencyState.ARMED:
            return EmergencyState.DECLARED
        case EmergencyState.DECLARED:
            return EmergencyState.CONTAINING
        case EmergencyState.CONTAINING:
            if seen.is_calm:
                return EmergencyState.STABLE
            return EmergencyState.FREEING if _is_contained(emergency, seen.now) else state
        case EmergencyState.FREEING if is_critical and seen.level_since > emergency.critical_since:
            return EmergencyState.CONTAINING
        case EmergencyState.FREEING:
            return EmergencyState.STABLE if seen.is_calm else state
        case EmergencyState.STABLE | EmergencyState.LEAVING if not seen.is_calm:
            return EmergencyState.CONTAINING if is_critical else EmergencyState.FREEING
        case EmergencyState.STABLE:
            has_settled = seen.now - emergency.state_since >= settling
            return EmergencyState.LEAVING if has_settled and seen.is_recent else state
        case EmergencyState.LEAVING if seen.is_recent and not _is_left_to_end(emergency, seen):
            return EmergencyState.CLOSED
    return state


def _is_contained(emergency: Emergency, now: datetime) -> bool:
    if now - emergency.state_since >= CONTAINING_MAX:
        return True
    return not any(step.is_open and step.is_selected for step in _of(emergency, CONTAINING_STEPS))


def _is_left_to_end(emergency: Emergency, seen: Seen) -> bool:
    """Report whether something is paused or open, or can come to be by a plan that is proposed no longer."""
    former = [seen.plans.get(key) for key, kind in emergency.former_keys().items() if kind in CONTAINING_STEPS]
    return any(not _is_as_wanted(kind, seen) for kind in _not_declined(emergency, LEAVING_STEPS)) or any(
        plan is not None and plan.has_step_calls and _can_take_effect(plan, seen) for plan in former
    )


def _can_take_effect(plan: PlanSeen, seen: Seen) -> bool:
    """Report whether a plan is open, its owners can execute it although it is not, or no block shows yet what it did."""
    return plan.status in _PLAN_OPEN or plan.safe_transaction is not None or _is_effect_unseen(plan, seen)


def _is_as_wanted(kind: StepKind, seen: Seen) -> bool:
    wanted = STEPS[kind].wanted
    return wanted is not None and wanted(seen.flags)


def _not_declined(emergency: Emergency, kinds: Iterable[StepKind]) -> list[StepKind]:
    steps = ((kind, emergency.step(kind)) for kind in kinds)
    return [kind for kind, step in steps if step is None or step.status is not StepStatus.DECLINED]


def _of(emergency: Emergency, kinds: Iterable[StepKind]) -> list[EmergencyStep]:
    return [step for kind in kinds if (step := emergency.step(kind)) is not None]


def _entered(emergency: Emergency, state: EmergencyState, seen: Seen, entries: list[TimelineEntry]) -> Emergency:
    entries.append(TimelineEntry(EntryKind.STATE, f"{state}, from {emergency.state}"))
    entered = replace(emergency, state=state, state_since=seen.now)
    match state:
        case EmergencyState.CONTAINING:
            return _proposed(_withdrawn(entered, LEAVING_STEPS, seen, entries), CONTAINING_STEPS, seen, entries)
        case EmergencyState.FREEING:
            return _withdrawn(entered, LEAVING_STEPS, seen, entries)
        case EmergencyState.LEAVING:
            withdrawn = _withdrawn(entered, (*CONTAINING_STEPS, StepKind.FREE_LIQUIDITY), seen, entries)
            return _proposed(withdrawn, LEAVING_STEPS, seen, entries)
        case EmergencyState.CLOSED:
            reason = f"the level is {seen.level}, and nothing is left to end"
            return replace(entered, ended_at=seen.now, end_reason=reason)
    return entered


def _proposed(emergency: Emergency, kinds: Iterable[StepKind], seen: Seen, entries: list[TimelineEntry]) -> Emergency:
    """Propose each of these steps that is not done yet, nor open already."""
    for kind in kinds:
        before = emergency.step(kind)
        if _is_as_wanted(kind, seen) or (before is not None and before.is_open):
            continue
        emergency = _with_new_step(emergency, kind, seen, entries)
    return emergency


def _free_liquidity(emergency: Emergency, seen: Seen, entries: list[TimelineEntry]) -> Emergency:
    """Propose to free what is missing, once a block shows what the step before has freed, unless people declined it here."""
    before = emergency.step(StepKind.FREE_LIQUIDITY)
    if _amount_to_free(seen) <= 0 or (before is not None and (before.is_open or _was_declined_here(emergency, before))):
        return emergency
    if any(_is_effect_unseen(seen.plans.get(key), seen) for key in emergency.former_keys()):
        return emergency
    return _with_new_step(emergency, StepKind.FREE_LIQUIDITY, seen, entries)


def _is_effect_unseen(plan: PlanSeen | None, seen: Seen) -> bool:
    """Report whether no block shows yet what the owners executed: the plan, even if withdrawn, or another in its place."""
    if plan is None or not (plan.status in _PLAN_DONE or plan.is_superseded):
        return False
    return plan.block is None or seen.block < plan.block


def _amount_to_free(seen: Seen) -> RawAmount:
    """Return what the waterfall reaches of what is missing, in raw units of the vault's asset."""
    return RawAmount(min(seen.missing, seen.sellable))


def _was_declined_here(emergency: Emergency, step: EmergencyStep) -> bool:
    return step.status is StepStatus.DECLINED and step.since >= emergency.state_since


def _with_new_step(emergency: Emergency, kind: StepKind, seen: Seen, entries: list[TimelineEntry]) -> Emergency:
    before = emergency.step(kind)
    attempt = 1 if before is None else before.attempt + 1
    step = EmergencyStep(kind, StepStatus.PROPOSED, attempt, since=seen.now, proposed_at=seen.now)
    step = _by_figures(step, seen)
    entries.append(_selection(step, EntryKind.PROPOSED))
    return replace(emergency, steps=(*emergency.steps, step))


def _by_figures(step: EmergencyStep, seen: Seen) -> EmergencyStep:
    """Return a step with its amount, its warning, and whether it is selected, as the figures are now."""
    if (absent := seen.absent.get(step.kind)) is not None:
        amount = _amount_to_free(seen) if step.kind is StepKind.FREE_LIQUIDITY else None
        return replace(step, amount=amount, warning=absent, is_selected=False)
    match step.kind:
        case StepKind.OPEN_EXIT:
            return replace(step, warning=seen.exit_warning, is_selected=seen.exit_warning is None)
        case StepKind.FREE_LIQUIDITY:
            amount = _amount_to_free(seen)
            beyond = seen.missing - amount
            warning = (
                f"L1 and L2 do not reach: {beyond} more must come from L3, by a rebalance or an OTC order" if beyond else None
            )
            return replace(step, amount=amount, warning=warning, is_selected=True)
    return replace(step, warning=None, is_selected=True)


def _selection(step: EmergencyStep, kind: EntryKind, why: str = "") -> TimelineEntry:
    text = why or f"to {STEPS[step.kind].meaning}"
    return TimelineEntry(kind, text if step.is_selected else f"{text}; not selected: {step.warning or ''}", step.kind)


def _withdrawn(emergency: Emergency, kinds: Iterable[StepKind], seen: Seen, entries: list[TimelineEntry]) -> Emergency:
    """Propose these steps no longer. A plan that was submitted stays its owners' to sign or to reject."""
    withdrawn = frozenset(kinds)
    steps = []
    for step in emergency.steps:
        if step.kind in withdrawn and step.is_open:
            steps.append(_withdrawn_step(step, seen.plans.get(emergency.key(step)), seen, entries))
        else:
            steps.append(step)
    return replace(emergency, steps=tuple(steps))


def _withdrawn_step(step: EmergencyStep, plan: PlanSeen | None, seen: Seen, entries: list[TimelineEntry]) -> EmergencyStep:
    text = f"no longer proposed: {STEPS[step.kind].meaning}{_to_be_rejected(plan)}"
    entries.append(TimelineEntry(EntryKind.WITHDRAWN, text, step.kind))
    return replace(step, status=StepStatus.WITHDRAWN, since=seen.now)


def _to_be_rejected(plan: PlanSeen | None) -> str:
    """Say that the owners could still execute what is proposed no longer."""
    if plan is None or plan.safe_transaction is None or not plan.has_step_calls:
        return ""
    return f"; the owners are to reject Safe transaction {hex0x(plan.safe_transaction)}, which can be executed until then"


_PLAN_OPEN: Final = frozenset({PlanStatus.AWAITING_OWNERS, PlanStatus.IN_PROGRESS})
_PLAN_DONE: Final = frozenset({PlanStatus.DONE, PlanStatus.PARTIALLY_DONE})


def _refreshed(emergency: Emergency, step: EmergencyStep, seen: Seen, entries: list[TimelineEntry]) -> EmergencyStep:
    """Return an open step as the flags, its plan and the figures show it."""
    if not step.is_open:
        return step
    plan = seen.plans.get(emergency.key(step))
    if _is_as_wanted(step.kind, seen):
        known = step if plan is None or not plan.has_step_calls else replace(step, plan_id=plan.id)
        return _done(known, seen, entries)
    if plan is None:  # a step of a drill is submitted without one
        return step if step.status is StepStatus.SUBMITTED else _refigured(step, seen, entries)
    if not plan.has_step_calls:
        return _again(step, plan, seen, entries, f"plan {plan.id} has its key and other calls")
    if plan.status in _PLAN_OPEN or _is_effect_unseen(plan, seen):
        return _submitted(step, plan, seen, entries)
    if plan.is_superseded:
        return _again(step, plan, seen, entries, f"plan {plan.id}: the owners executed another transaction at its nonce")
    if plan.status is PlanStatus.REJECTED:
        entries.append(TimelineEntry(EntryKind.DECLINED, f"plan {plan.id} was rejected{_to_be_rejected(plan)}", step.kind))
        return replace(step, status=StepStatus.DECLINED, since=seen.now, plan_id=plan.id)
    if plan.status not in _PLAN_DONE:
        return _again(step, plan, seen, entries, f"plan {plan.id} is {plan.status}{_to_be_rejected(plan)}")
    if STEPS[step.kind].wanted is not None:
        why = f"plan {plan.id} is {plan.status}, and the chain does not show its effect any more"
        return _again(step, plan, seen, entries, why)
    return _done(replace(step, plan_id=plan.id), seen, entries)


def _refigured(step: EmergencyStep, seen: Seen, entries: list[TimelineEntry]) -> EmergencyStep:
    """Return a step without a plan as the figures are now; an amount that is another has another key."""
    now = _by_figures(step, seen)
    if now.amount is not None and step.amount is not None:
        if now.amount <= 0:
            return _withdrawn_step(step, None, seen, entries)
        if has_amount_drifted(step.amount, now.amount):
            return _again(step, None, seen, entries, f"the amount is {now.amount} now, {step.amount} was proposed")
        now = replace(now, amount=step.amount)
    if now.is_selected is not step.is_selected:
        entries.append(_selection(now, EntryKind.PROPOSED))
    return now


def _done(step: EmergencyStep, seen: Seen, entries: list[TimelineEntry]) -> EmergencyStep:
    entries.append(TimelineEntry(EntryKind.DONE, f"shown at block {seen.block}: {STEPS[step.kind].meaning}", step.kind))
    return replace(step, status=StepStatus.DONE, since=seen.now, done_at=seen.now, done_at_block=seen.block)


def _submitted(step: EmergencyStep, plan: PlanSeen, seen: Seen, entries: list[TimelineEntry]) -> EmergencyStep:
    """Return a step whose plan waits for signatures; its amount is the plan's, and its warning follows the figures."""
    now = replace(_by_figures(step, seen), amount=step.amount)
    if step.status is StepStatus.SUBMITTED:
        if now.is_selected is not step.is_selected:
            entries.append(_selection(now, EntryKind.SUBMITTED, f"plan {plan.id} waits for signatures"))
        return now
    entries.append(TimelineEntry(EntryKind.SUBMITTED, f"plan {plan.id} waits for signatures", step.kind))
    return replace(now, status=StepStatus.SUBMITTED, since=seen.now, submitted_at=seen.now, plan_id=plan.id)


def _again(step: EmergencyStep, plan: PlanSeen | None, seen: Seen, entries: list[TimelineEntry], why: str) -> EmergencyStep:
    """Propose a step under a new key, as the figures are now; nothing is left to free: then no longer."""
    earlier = (*step.earlier_plans, plan.id) if plan is not None and plan.has_step_calls else step.earlier_plans
    now = _by_figures(step, seen)
    if now.amount is not None and now.amount <= 0:
        return replace(_withdrawn_step(step, plan, seen, entries), earlier_plans=earlier, plan_id=None)
    entries.append(TimelineEntry(EntryKind.PROPOSED_AGAIN, why, step.kind))
    return replace(
        now,
        status=StepStatus.PROPOSED,
        attempt=step.attempt + 1,
        since=seen.now,
        proposed_at=seen.now,
        plan_id=None,
        submitted_at=None,
        earlier_plans=earlier,
    )


def require_open(emergency: Emergency) -> None:
    """Raises EmergencyEnded."""
    if emergency.ended_at is not None:
        raise EmergencyEnded(f"{emergency.name} is {emergency.state} since {emergency.ended_at:%Y-%m-%d %H:%M} UTC")


def stand_down(emergency: Emergency, reason: str, *, by: Address | None, now: datetime) -> Advanced:
    """End an emergency before it is over. What was proposed is proposed no longer; what was done stays as it is.

    Raises:
        EmergencyEnded.
    """
    require_open(emergency)
    entry = TimelineEntry(EntryKind.STATE, f"{EmergencyState.STOOD_DOWN}, from {emergency.state}: {reason}", actor=by)
    ended = replace(emergency, state=EmergencyState.STOOD_DOWN, state_since=now, ended_at=now, end_reason=reason)
    return Advanced(ended, (entry,))


def require_step(emergency: Emergency, kind: StepKind) -> EmergencyStep:
    """Return the open step of a kind.

    Raises:
        EmergencyEnded, StepNotOpen.
    """
    require_open(emergency)
    step = emergency.step(kind)
    if step is None or not step.is_open:
        standing = "was not proposed" if step is None else f"is {step.status}"
        open_kinds = ", ".join(one.kind for one in emergency.steps if one.is_open)
        raise StepNotOpen(f"{kind} of {emergency.name} {standing}; open steps: {open_kinds or 'none'}")
    return step


def decline(emergency: Emergency, kind: StepKind, reason: str, *, by: Address, now: datetime) -> Advanced:
    """Decline a step: nothing waits for it any more. Its plan, if there is one, is rejected on its own ticket.

    Raises:
        EmergencyEnded, StepNotOpen.
    """
    step = require_step(emergency, kind)
    entry = TimelineEntry(EntryKind.DECLINED, reason, kind, by)
    return Advanced(_with_step(emergency, step, replace(step, status=StepStatus.DECLINED, since=now)), (entry,))


def _with_step(emergency: Emergency, before: EmergencyStep, after: EmergencyStep) -> Emergency:
    return replace(emergency, steps=tuple(after if step is before else step for step in emergency.steps))


def drill_view(drill: Emergency, seen: Seen) -> Seen:
    """Return what a drill sees: a breach that lasts until its steps are done, and flags that its own steps changed."""
    freeing = drill.step(StepKind.FREE_LIQUIDITY)
    after_containing = drill.state in {EmergencyState.FREEING, EmergencyState.STABLE, EmergencyState.LEAVING}
    is_over = after_containing and (freeing is None or not freeing.is_open)
    return replace(
        seen,
        level=RiskLevel.NORMAL if is_over else RiskLevel.CRITICAL,
        level_since=drill.critical_since,
        flags=OperationalFlags(
            vault_paused=_was_done_last(drill, StepKind.PAUSE_VAULT, StepKind.UNPAUSE_VAULT),
            manager_paused=_was_done_last(drill, StepKind.PAUSE_REDEMPTIONS, StepKind.UNPAUSE_REDEMPTIONS),
            controller_paused=False,
            emergency_mode=_was_done_last(drill, StepKind.OPEN_EXIT, StepKind.CLOSE_EXIT),
        ),
        missing=RawAmount(0 if is_over else seen.sellable // _DRILL_DIVISOR),
        plans={},
        as_of=seen.now,
    )


_DRILL_DIVISOR: Final = 10
"""A drill frees a tenth of what L1 and L2 have to sell."""


def _was_done_last(drill: Emergency, kind: StepKind, opposite: StepKind) -> bool:
    done = [step.kind for step in drill.steps if step.kind in {kind, opposite} and step.status is StepStatus.DONE]
    return bool(done) and done[-1] is kind


class AlreadySigned(Conflict):
    """This person has signed the step of the drill."""


def sign_in_drill(
    drill: Emergency, kind: StepKind, signers: frozenset[Address], *, by: Address, threshold: int, now: datetime, block: int
) -> Advanced:
    """Add a person's signature to a step of a drill, which is done with as many as the cold wallet needs. Nothing is sent.

    Raises:
        EmergencyEnded, StepNotOpen, AlreadySigned.
    """
    step = require_step(drill, kind)
    if by in signers:
        raise AlreadySigned
    count = len(signers) + 1
    entries = [TimelineEntry(EntryKind.SIGNED, f"signature {count} of {threshold}", kind, by)]
    signed = replace(step, status=StepStatus.SUBMITTED, submitted_at=step.submitted_at or now)
    if count >= threshold:
        signed = replace(signed, status=StepStatus.DONE, since=now, done_at=now, done_at_block=block)
        entries.append(TimelineEntry(EntryKind.DONE, f"drill: {STEPS[kind].meaning}", kind))
    return Advanced(_with_step(drill, step, signed), tuple(entries))
