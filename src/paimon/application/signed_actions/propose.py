"""Propose a signed action: the document of what would happen now, for a user who may do it.

One table has every action that is offered: the path of its resource in the API, and where its signature is sent. A plan's
document comes from its preview, since it follows from the calls; a grant's is made by the super_admin's own command.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from paimon.application.approval_policy.publish import propose_publication
from paimon.application.approval_tickets.stand_ins import with_lent_rights
from paimon.application.approval_workflow.decide import propose_vote
from paimon.application.approval_workflow.name_stand_in import propose_end
from paimon.application.common.log_id import LogId
from paimon.application.common.signed_action import ProposedAction
from paimon.application.emergency.observe import EmergencyContext
from paimon.application.emergency.people import (
    propose_decline,
    propose_drill,
    propose_drill_signature,
    propose_stand_down,
)
from paimon.application.identity.accept_action import SigningContext
from paimon.application.identity.erase_person import propose_erasure
from paimon.application.identity.permissions import require_permission
from paimon.application.identity.store import list_chain_roles
from paimon.application.quarantine.store import OutboxMessageRef, Target, evaluate
from paimon.application.quarantine.submit_decision import propose_decision
from paimon.application.redemptions.settle_now import propose_settlement
from paimon.application.risk_control.store import get_event
from paimon.application.risk_control.triage import propose_resolution
from paimon.application.transactions.operator.submit_action import propose_operator_action
from paimon.domain.approval.policy_check import PolicyBounds
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import Address, InvalidAddress, parse_address
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.risk.emergency import StepKind
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.domain.transaction.operator_action import ActionKind
from paimon.domain.user.roles import User
from paimon.errors import InvalidRequest
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.clock import database_now


class ActionNotOffered(InvalidRequest):
    """This action's document is made elsewhere."""

    field = "action"


class InvalidResource(InvalidRequest):
    """The resource is no path that this action is about."""

    field = "resource"


@dataclass(frozen=True, slots=True)
class ProposalContext:
    """What proposals are made from."""

    signing: SigningContext
    contracts: FundContracts
    keeper: Address
    policy_bounds: PolicyBounds
    emergency: EmergencyContext


@dataclass(frozen=True, slots=True)
class ActionDocument:
    """A document to sign, and the path of the API that takes the signature."""

    statement: str
    document: dict[str, Any]
    terms: SignatureTerms
    submit_to: str


Propose = Callable[[ProposalContext, User, tuple[str, ...]], Awaitable[ProposedAction]]


async def propose_action(
    action: ActionName, resource: str, user: User, reason: str, context: ProposalContext
) -> ActionDocument:
    """Return the document that this user may sign now, with fresh terms.

    Raises:
        ActionNotOffered, InvalidResource, NotPermitted, the resource's NotFound, the action's own rejection; for a settlement
        NothingRecorded and RpcUnavailable.
    """
    if (offered := _OFFERED.get(action)) is None:
        raise ActionNotOffered(_MADE_ELSEWHERE[action])
    proposed = await offered.propose(context, user, offered.parse(action, resource))
    async with context.signing.database.read() as session:
        held, now = await list_chain_roles(session, user.address), await database_now(session)
        acting = await with_lent_rights(session, user, context.signing.rules.scope)
    require_permission(acting, proposed.permission, held)
    if proposed.rejection is not None:
        raise proposed.rejection
    terms = context.signing.rules.new_terms(now)
    document = proposed.content.document(reason, terms, context.signing.rules.scope)
    return ActionDocument(proposed.content.statement, document, terms, f"{resource}/{offered.verb}")


@dataclass(frozen=True, slots=True)
class _Offered:
    """An action that is offered: the form of its resource's path, and the last part of the path that takes the signature."""

    example: str
    pattern: re.Pattern[str]
    verb: str
    propose: Propose

    def parse(self, action: ActionName, resource: str) -> tuple[str, ...]:
        match = self.pattern.fullmatch(resource)
        if match is None:
            raise InvalidResource(f"{action} is about a path such as {self.example}, not {resource[:100]!r}")
        return match.groups()


async def _settlement(context: ProposalContext, _user: User, parts: tuple[str, ...]) -> ProposedAction:
    _due, proposed = await propose_settlement(
        int(parts[0]), context=context.signing, contracts=context.contracts, keeper=context.keeper
    )
    return proposed


async def _resolution(context: ProposalContext, _user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.read() as session:
        return propose_resolution(await get_event(session, int(parts[0])))


async def _vote(
    action: ActionName, verdict: Verdict, context: ProposalContext, user: User, parts: tuple[str, ...]
) -> ProposedAction:
    async with context.signing.database.read() as session:
        proposed = await propose_vote(session, parts[0], verdict, user, context.signing.rules.scope)
    if proposed.content.action is not action:
        raise InvalidResource(f"ticket {parts[0]} takes {proposed.content.action}, not {action}")
    return proposed


async def _publication(context: ProposalContext, user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.read() as session:
        _draft, proposed = await propose_publication(
            session,
            int(parts[0]),
            user.address,
            context.policy_bounds,
            scope=context.signing.rules.scope,
        )
    return proposed


async def _erasure(context: ProposalContext, _user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.read() as session:
        return await propose_erasure(session, _address(parts[0]), context.signing.rules.scope)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except InvalidAddress as error:
        raise InvalidResource(str(error)) from error


async def _end_of_stand_in(context: ProposalContext, user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.write() as session:
        return await propose_end(session, int(parts[0]), user)


async def _stand_down(context: ProposalContext, _user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.write() as session:
        return await propose_stand_down(session, int(parts[0]))


async def _declined_step(context: ProposalContext, _user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.write() as session:
        return await propose_decline(session, int(parts[0]), StepKind(parts[1]))


async def _drill(context: ProposalContext, _user: User, _parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.write() as session:
        return await propose_drill(session, context.emergency)


async def _drill_signature(context: ProposalContext, user: User, parts: tuple[str, ...]) -> ProposedAction:
    async with context.signing.database.write() as session:
        return await propose_drill_signature(session, int(parts[0]), StepKind(parts[1]), user, context.emergency)


async def _operator_action(kind: ActionKind, context: ProposalContext, _user: User, parts: tuple[str, ...]) -> ProposedAction:
    target_id = _address(parts[0]) if kind is ActionKind.CLEAR_FAULT else UUID(parts[0])
    async with context.signing.database.read() as session:
        _target, proposed = await propose_operator_action(session, kind, target_id)
    return proposed


async def _decision(
    kind: OperatorDecisionKind, context: ProposalContext, _user: User, parts: tuple[str, ...]
) -> ProposedAction:
    numbers = [int(part) for part in parts]
    target: Target = OutboxMessageRef(*numbers) if kind is OperatorDecisionKind.REPLAY_MESSAGE else LogId(*numbers)
    async with context.signing.database.read() as session:
        return propose_decision(kind, await evaluate(session, kind, target))


_REDEMPTION: Final = ("/redemptions/12", re.compile(r"/redemptions/([0-9]{1,78})"))
_RISK_EVENT: Final = ("/risk/events/7", re.compile(r"/risk/events/([1-9][0-9]{0,17})"))
_TICKET: Final = ("/approvals/TKT-R000012", re.compile(r"/approvals/(TKT-[A-Za-z0-9-]{1,90})"))
_INTENT: Final = (
    "/transactions/intents/01890a5d-ac96-774b-bcce-b302099a8057",
    re.compile(r"/transactions/intents/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"),
)
_WALLET: Final = ("/wallets/0x70997970C51812dc3A010C7d01b50e0d17dc79C8", re.compile(r"/wallets/(0x[0-9a-fA-F]{40})"))
_MESSAGE: Final = ("/system/outbox/12", re.compile(r"/system/outbox/([1-9][0-9]{0,17})"))
_POLICY_DRAFT: Final = ("/policy/drafts/3", re.compile(r"/policy/drafts/([1-9][0-9]{0,17})"))
_USER: Final = ("/users/0x70997970C51812dc3A010C7d01b50e0d17dc79C8", re.compile(r"/users/(0x[0-9a-fA-F]{40})"))
_STAND_IN: Final = ("/stand-ins/4", re.compile(r"/stand-ins/([1-9][0-9]{0,17})"))
_LOG: Final = ("/system/quarantine/100/3", re.compile(r"/system/quarantine/([0-9]{1,18})/([0-9]{1,9})"))
_EMERGENCY: Final = ("/emergencies/3", re.compile(r"/emergencies/([1-9][0-9]{0,17})"))
_EMERGENCY_STEP: Final = (
    "/emergencies/3/steps/PAUSE_VAULT",
    re.compile(rf"/emergencies/([1-9][0-9]{{0,17}})/steps/({'|'.join(StepKind)})"),
)
_EMERGENCIES: Final = ("/emergencies", re.compile(r"/emergencies"))

_OFFERED: Final = {
    ActionName.APPROVE_REDEMPTION: _Offered(
        *_TICKET, "approve", partial(_vote, ActionName.APPROVE_REDEMPTION, Verdict.APPROVE)
    ),
    ActionName.REJECT_REDEMPTION: _Offered(*_TICKET, "reject", partial(_vote, ActionName.REJECT_REDEMPTION, Verdict.REJECT)),
    ActionName.REJECT_PLAN: _Offered(*_TICKET, "reject", partial(_vote, ActionName.REJECT_PLAN, Verdict.REJECT)),
    ActionName.CANCEL_PLAN: _Offered(*_TICKET, "cancel", partial(_vote, ActionName.CANCEL_PLAN, Verdict.CANCEL)),
    ActionName.SETTLE_REDEMPTION: _Offered(*_REDEMPTION, "settle", _settlement),
    ActionName.RESOLVE_RISK_EVENT: _Offered(*_RISK_EVENT, "resolve", _resolution),
    ActionName.PUBLISH_POLICY: _Offered(*_POLICY_DRAFT, "publish", _publication),
    ActionName.ERASE_PERSON: _Offered(*_USER, "erase", _erasure),
    ActionName.END_STAND_IN: _Offered(*_STAND_IN, "end", _end_of_stand_in),
    ActionName.STAND_DOWN_EMERGENCY: _Offered(*_EMERGENCY, "stand-down", _stand_down),
    ActionName.DECLINE_EMERGENCY_STEP: _Offered(*_EMERGENCY_STEP, "decline", _declined_step),
    ActionName.START_DRILL: _Offered(*_EMERGENCIES, "drills", _drill),
    ActionName.SIGN_DRILL_STEP: _Offered(*_EMERGENCY_STEP, "sign", _drill_signature),
    ActionName.SPEED_UP: _Offered(*_INTENT, "speed-up", partial(_operator_action, ActionKind.SPEED_UP)),
    ActionName.CANCEL: _Offered(*_INTENT, "cancel", partial(_operator_action, ActionKind.CANCEL)),
    ActionName.RETRY: _Offered(*_INTENT, "retry", partial(_operator_action, ActionKind.RETRY)),
    ActionName.CLEAR_FAULT: _Offered(*_WALLET, "clear-fault", partial(_operator_action, ActionKind.CLEAR_FAULT)),
    ActionName.REPLAY_MESSAGE: _Offered(*_MESSAGE, "replay", partial(_decision, OperatorDecisionKind.REPLAY_MESSAGE)),
    ActionName.RELEASE_LOG: _Offered(*_LOG, "release", partial(_decision, OperatorDecisionKind.RELEASE_LOG)),
    ActionName.SKIP_LOG: _Offered(*_LOG, "skip", partial(_decision, OperatorDecisionKind.SKIP_LOG)),
}
_MADE_ELSEWHERE: Final = {
    ActionName.EXECUTE_PLAN: "the preview of a plan has the document to sign: POST /plans/preview",
    ActionName.NAME_STAND_IN: "the preview of a stand-in has the document to sign: POST /stand-ins/preview",
    ActionName.SET_ASSET_PROFILE: "the preview of a profile has the document to sign: POST /assets/{token}/preview",
    ActionName.GRANT_USER: "a super_admin signs a grant with `paimon users add` or `paimon users remove`",
}
