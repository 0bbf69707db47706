"""Operator actions: submit one, and build the documents to sign. Shared by the endpoints of intents and wallets."""

from collections.abc import Iterable
from uuid import UUID

from paimon.application.transactions.operator.submit_action import (
    SubmitAction,
    propose_operator_action,
    submit_action,
)
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.operator_action import ActionKind
from paimon.domain.user.roles import User
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.views.operator_actions import ActionDocuments, OperatorActionView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession


async def submit(
    context: AppContext, user: User, kind: ActionKind, target_id: UUID | Address, body: SignedActionBody
) -> Envelope[OperatorActionView]:
    """Record the signed action for the wallet's driver, and return it."""
    action = await submit_action(SubmitAction(kind, target_id, body.request_of(user)), context.signing)
    return Envelope[OperatorActionView](data=OperatorActionView.of(action))


async def documents(
    context: AppContext, session: ReadSession, target_id: UUID | Address, kinds: Iterable[ActionKind]
) -> ActionDocuments:
    """Build the documents of those kinds of action that are possible now, each with a fresh nonce and expiry."""
    rules, now = context.signing_rules, await database_now(session)
    proposed = {kind: (await propose_operator_action(session, kind, target_id))[1] for kind in kinds}
    return {
        kind: action.content.document("", rules.new_terms(now), rules.scope)
        for kind, action in proposed.items()
        if action.rejection is None
    }
