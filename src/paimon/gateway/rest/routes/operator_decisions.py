"""Operator decisions: submit one, and build the documents to sign. Shared by the endpoints of outbox and quarantine."""

from collections.abc import Iterable

from paimon.application.quarantine.store import Target, evaluate
from paimon.application.quarantine.submit_decision import SubmitDecision, propose_decision, submit_decision
from paimon.composition import AppContext
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.domain.user.roles import User
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.views.operator_decisions import DecisionDocuments, OperatorDecisionView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession


async def submit(
    context: AppContext, user: User, kind: OperatorDecisionKind, target: Target, body: SignedActionBody
) -> Envelope[OperatorDecisionView]:
    """Record the signed decision, and return it."""
    decision = await submit_decision(SubmitDecision(kind, target, body.request_of(user)), context.signing)
    return Envelope[OperatorDecisionView](data=OperatorDecisionView.of(decision))


async def documents(
    context: AppContext, session: ReadSession, target: Target, kinds: Iterable[OperatorDecisionKind]
) -> DecisionDocuments:
    """Build the documents of those kinds of decision that are possible now, each with a fresh nonce and expiry."""
    rules, now = context.signing_rules, await database_now(session)
    proposed = {kind: propose_decision(kind, await evaluate(session, kind, target)) for kind in kinds}
    return {
        kind: action.content.document("", rules.new_terms(now), rules.scope)
        for kind, action in proposed.items()
        if action.rejection is None
    }
