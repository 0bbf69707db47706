"""Endpoint of signed actions: the document to sign for an action, as it would happen now."""

from fastapi import APIRouter

from paimon.application.approval_policy.bounds import policy_bounds
from paimon.application.signed_actions.propose import ProposalContext, propose_action
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.views.signed_action import ActionDocumentView, ProposeActionBody

router = APIRouter(prefix="/signed-actions", tags=["signed actions"])


@router.post(
    "",
    operation_id="proposeSignedAction",
    summary="Get the document to sign for an action",
    responses=documented_responses("signed_action", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def propose(body: ProposeActionBody, context: ContextDep, user: SignedInUser) -> Envelope[ActionDocumentView]:
    """Return exactly what would happen now as EIP-712 typed data, with a fresh nonce and expiry. Nothing happens yet.

    Refused is what the caller may not do, and what is not possible now. Sign `typedData` with eth_signTypedData_v4, and send
    the signature with `message.nonce`, `message.expiresAt` and `message.reason` to `submitTo`. What would happen is built again
    there: if it has changed since, the signature does not count.
    """
    proposals = ProposalContext(
        context.signing,
        context.contracts,
        context.settings.sending.keeper,
        policy_bounds(context.settings),
        context.emergency_context,
    )
    return Envelope[ActionDocumentView](
        data=ActionDocumentView.of(await propose_action(body.action, body.resource, user, body.reason, proposals))
    )
