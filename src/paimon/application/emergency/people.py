"""What people decide about an emergency, each by a signed action: stand it down, decline a step, start a drill, sign in one.

The effect of each is bound to the emergency and the state that the person saw. What changed since is refused.
"""

from collections.abc import Awaitable, Callable

import structlog

from paimon.application.common.signed_action import ProposedAction
from paimon.application.emergency.advance import record
from paimon.application.emergency.observe import EmergencyContext, evidence_of
from paimon.application.emergency.store import (
    insert_emergency,
    list_drill_signers,
    lock_emergency,
    lock_open,
)
from paimon.application.fund_risk.store import find_assessment
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.nav.store import find_newest_snapshot
from paimon.application.transactions.multisig.store import find_safe
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.risk.emergency import (
    STEPS,
    Advanced,
    AlreadySigned,
    EmergencyEnded,
    EmergencyState,
    EntryKind,
    StepKind,
    StepNotOpen,
    TimelineEntry,
    decline,
    require_open,
    require_step,
    sign_in_drill,
    stand_down,
)
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.user.roles import Permission, User
from paimon.errors import Conflict, Forbidden
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


class EmergencyUnderWay(Conflict):
    """An emergency or a drill is under way; there is one at a time."""


class NothingToDrill(Conflict):
    """A drill needs a snapshot, an assessment, and a cold Safe whose owners sign."""


class NotADrill(Conflict):
    """This is no drill: its steps are plans, and owners sign their Safe transactions."""


class NotAnOwner(Forbidden):
    """Only the owners of the cold Safe sign in a drill, as they would in an emergency."""


async def propose_stand_down(session: WriteSession, number: int) -> ProposedAction:
    """Raises EmergencyNotFound."""
    emergency = await lock_emergency(session, number)
    content = ActionContent(
        ActionName.STAND_DOWN_EMERGENCY,
        f"/emergencies/{number}",
        f"Stand down {emergency.name}, which is {emergency.state}. What was paused or opened stays so",
        effect_hash(emergency.name, emergency.state),
    )
    return ProposedAction(content, Permission.HANDLE_EMERGENCY, _rejection(lambda: require_open(emergency)))


async def stand_down_emergency(number: int, request: SignedRequest, signing: SigningContext) -> None:
    """End an emergency or a drill before it is over.

    Raises:
        EmergencyNotFound, EmergencyEnded, ActionChanged, NotPermitted, and what a signature is refused for.
    """
    await _decide(
        signing,
        request,
        lambda session: propose_stand_down(session, number),
        lambda session: _stand_down(session, number, request),
    )


async def _stand_down(session: WriteSession, number: int, request: SignedRequest) -> Advanced:
    emergency, now = await lock_emergency(session, number), await database_now(session)
    return stand_down(emergency, request.reason, by=request.user.address, now=now)


async def propose_decline(session: WriteSession, number: int, kind: StepKind) -> ProposedAction:
    """Raises EmergencyNotFound."""
    emergency = await lock_emergency(session, number)
    step = emergency.step(kind)
    content = ActionContent(
        ActionName.DECLINE_EMERGENCY_STEP,
        f"/emergencies/{number}/steps/{kind}",
        f"Decline step {kind} of {emergency.name}: do not {STEPS[kind].meaning}",
        effect_hash(emergency.name, kind, "" if step is None else emergency.key(step)),
    )
    return ProposedAction(content, Permission.HANDLE_EMERGENCY, _rejection(lambda: require_step(emergency, kind)))


async def decline_step(number: int, kind: StepKind, request: SignedRequest, signing: SigningContext) -> None:
    """Decline a step: nothing waits for it any more.

    Raises:
        EmergencyNotFound, EmergencyEnded, StepNotOpen, ActionChanged, NotPermitted, and what a signature is refused for.
    """
    await _decide(
        signing,
        request,
        lambda session: propose_decline(session, number, kind),
        lambda session: _decline(session, number, kind, request),
    )


async def _decline(session: WriteSession, number: int, kind: StepKind, request: SignedRequest) -> Advanced:
    emergency, now = await lock_emergency(session, number), await database_now(session)
    return decline(emergency, kind, request.reason, by=request.user.address, now=now)


async def propose_drill(session: WriteSession, context: EmergencyContext) -> ProposedAction:
    """Return what a person signs to start a drill: that nothing of it is sent."""
    content = ActionContent(
        ActionName.START_DRILL,
        "/emergencies",
        "Start a drill of the emergency protocol: people are alerted, and nothing is sent",
        effect_hash("drill"),
    )
    rejection: Conflict | None = None
    if (running := await lock_open(session)) is not None:
        rejection = EmergencyUnderWay(f"{running.name} is {running.state}; there is one at a time")
    elif (
        await find_assessment(session) is None
        or await find_newest_snapshot(session) is None
        or await _cold_safe(session, context) is None
    ):
        rejection = NothingToDrill()
    return ProposedAction(content, Permission.HANDLE_EMERGENCY, rejection)


async def start_drill(request: SignedRequest, signing: SigningContext, context: EmergencyContext) -> int:
    """Start a drill and return its number; the worker detects its breach.

    Raises:
        EmergencyUnderWay, NothingToDrill, NotPermitted, and what a signature is refused for.
    """
    async with context.database.write() as session:
        proposed = await propose_drill(session, context)
    accepted = await accept_action(request, proposed, signing)
    async with context.database.write() as session:
        await accepted.record(session, await propose_drill(session, context))
        assessment, snapshot = await find_assessment(session), await find_newest_snapshot(session)
        assert assessment is not None and snapshot is not None  # noqa: S101, PT018 — `propose_drill` has refused without them
        now, by = await database_now(session), request.user.address
        drill = await insert_emergency(
            session,
            EmergencyState.ARMED,
            started_at=now,
            critical_since=now,
            evidence=evidence_of(snapshot, assessment),
            started_by=by,
        )
        if drill is None:  # one that began since
            raise EmergencyUnderWay
        entry = TimelineEntry(EntryKind.DRILL_STARTED, request.reason, actor=by)
        await record(session, Advanced(drill, (entry,)), snapshot, assessment)
    log.info("emergency.drill_started", drill=drill.id, by=checksum(by))
    return drill.id


async def propose_drill_signature(
    session: WriteSession, number: int, kind: StepKind, user: User, context: EmergencyContext
) -> ProposedAction:
    """Return what an owner of the cold Safe signs, in any role. Raises EmergencyNotFound."""
    drill = await lock_emergency(session, number)
    step, safe = drill.step(kind), await _cold_safe(session, context)
    content = ActionContent(
        ActionName.SIGN_DRILL_STEP,
        f"/emergencies/{number}/steps/{kind}",
        f"DRILL: sign step {kind} of {drill.name}, to {STEPS[kind].meaning}. Nothing is sent",
        effect_hash(drill.name, kind, "" if step is None else drill.key(step)),
    )
    rejection: Conflict | Forbidden | None = _rejection(lambda: require_step(drill, kind))
    if not drill.is_drill:
        rejection = NotADrill()
    elif safe is None or user.address not in safe[0]:
        rejection = NotAnOwner()
    elif rejection is None and step is not None and user.address in await list_drill_signers(session, drill, step):
        rejection = AlreadySigned()
    return ProposedAction(content, Permission.READ, rejection)


async def sign_drill_step(
    number: int, kind: StepKind, request: SignedRequest, signing: SigningContext, context: EmergencyContext
) -> None:
    """Sign a step of a drill as an owner of the cold Safe. With as many owners as the Safe needs, the step is done.

    Raises:
        EmergencyNotFound, EmergencyEnded, StepNotOpen, NotADrill, NotAnOwner, AlreadySigned, ActionChanged, NotPermitted, and
        what a signature is refused for.
    """
    await _decide(
        signing,
        request,
        lambda session: propose_drill_signature(session, number, kind, request.user, context),
        lambda session: _sign(session, number, kind, request.user.address, context),
    )


async def _sign(session: WriteSession, number: int, kind: StepKind, by: Address, context: EmergencyContext) -> Advanced:
    drill, now = await lock_emergency(session, number), await database_now(session)
    step, safe, snapshot = require_step(drill, kind), await _cold_safe(session, context), await find_newest_snapshot(session)
    if safe is None:
        raise NotAnOwner
    signers = await list_drill_signers(session, drill, step) & frozenset(safe[0])
    block = 0 if snapshot is None else snapshot.at.number
    return sign_in_drill(drill, kind, signers, by=by, threshold=safe[1], now=now, block=block)


async def _cold_safe(session: WriteSession, context: EmergencyContext) -> tuple[tuple[Address, ...], int] | None:
    """Return the owners of the cold Safe and how many of them must sign, as of its last sync."""
    address = context.plans.safe_context.safes.get(SafeName.COLD)
    row = None if address is None else await find_safe(session, address)
    return None if row is None else (tuple(Address(owner) for owner in row.owners), row.threshold)


async def _decide(
    signing: SigningContext,
    request: SignedRequest,
    propose: Callable[[WriteSession], Awaitable[ProposedAction]],
    decide: Callable[[WriteSession], Awaitable[Advanced]],
) -> None:
    """Accept a person's signed decision, and record it with its effect in one transaction."""
    async with signing.database.write() as session:
        proposed = await propose(session)
    accepted = await accept_action(request, proposed, signing)
    async with signing.database.write() as session:
        await accepted.record(session, await propose(session))
        await record(session, await decide(session), await find_newest_snapshot(session), await find_assessment(session))


def _rejection(check: Callable[[], object]) -> Conflict | None:
    try:
        check()
    except (EmergencyEnded, StepNotOpen) as refused:
        return refused
    return None
