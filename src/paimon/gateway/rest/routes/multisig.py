"""Endpoints of the fund's Safes: list Safes and proposals, show a proposal, submit a signature, propose a rejection."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from paimon.application.identity.permissions import require_permission
from paimon.application.transactions.multisig.propose import propose_rejection
from paimon.application.transactions.multisig.queries import get_proposal_detail, list_proposals, list_safes
from paimon.application.transactions.multisig.sign import SignProposal, sign_proposal
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.user.roles import Permission
from paimon.gateway.rest.dependencies import ApprovingUser, ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.schema import HashText
from paimon.gateway.rest.views.multisig import ProposalDetailView, ProposalView, SafeView, SignatureBody
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/multisig", tags=["multisig"])

SafeTxHash = Annotated[HashText, Path(alias="safeTxHash", description="the hash its owners sign")]

_PROPOSALS: Final = paged_table("proposals", ProposalView, Envelope[Listing[ProposalView]])
_SIGNING_ERRORS = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "/safes",
    operation_id="listSafes",
    summary="List the fund's Safes as last read",
    responses=documented_responses("safes", 401, 503),
)
async def safes(context: ContextDep, _user: SignedInUser) -> Envelope[list[SafeView]]:
    async with context.database.read() as session:
        found = await list_safes(session, context.safe_context)
    return Envelope[list[SafeView]](data=[SafeView.of(safe) for safe in found])


@router.get(
    "/proposals",
    operation_id="listProposals",
    summary="List proposals by nonce, latest first",
    response_model=_PROPOSALS.envelope,
    responses=with_csv(_PROPOSALS, documented_responses("proposals", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    safe: Annotated[SafeName | None, Query()] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="true: not ended on chain yet; false: ended")] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[ProposalView]:
        found = await list_proposals(session, page, context.safe_context, safe=safe, is_open=is_open)
        return Listing[ProposalView].page(found.mapped(ProposalView.of))

    return await list_response(context, list_request, _PROPOSALS, read)


@router.get(
    "/proposals/{safeTxHash}",
    operation_id="getProposal",
    summary="Show a proposal with its signatures and the document to sign",
    responses=documented_responses("proposal", 400, 401, 404, 503),
)
async def detail(hash_: SafeTxHash, context: ContextDep, _user: SignedInUser) -> Envelope[ProposalDetailView]:
    """Before signing `signing`, compare `hashCard` with what the wallet's own screen shows."""
    async with context.database.read() as session:
        detail = await get_proposal_detail(session, hash_, context.safe_context)
    return Envelope[ProposalDetailView](data=ProposalDetailView.of_detail(detail))


@router.post(
    "/proposals/{safeTxHash}/sign",
    operation_id="signProposal",
    summary="Submit an owner's signature",
    responses=documented_responses("proposal", *_SIGNING_ERRORS),
)
async def sign(
    hash_: SafeTxHash, body: SignatureBody, context: ContextDep, user: ApprovingUser
) -> Envelope[ProposalDetailView]:
    """The caller needs the role admin here; the signer must own the Safe at a final block. The signature is the vote."""
    await sign_proposal(SignProposal(hash_, user, body.owner, body.signature), context.safe_context)
    return Envelope[ProposalDetailView](data=await _detail_view(context, hash_))


@router.post(
    "/proposals/{safeTxHash}/reject",
    operation_id="rejectProposal",
    summary="Propose to reject a proposal",
    responses=documented_responses("rejection", 400, 401, 403, 404, 409, 503),
)
async def reject(hash_: SafeTxHash, context: ContextDep, user: SignedInUser) -> Envelope[ProposalDetailView]:
    """Create the rejection: an empty transaction at the proposal's nonce, which owners sign like any proposal.

    Signatures over the rejected proposal stay valid until the nonce is used. A second call returns the existing rejection with
    its expiry renewed.
    """
    require_permission(user, Permission.SIGN_PROPOSALS)
    return Envelope[ProposalDetailView](
        data=await _detail_view(context, await propose_rejection(hash_, context.safe_context, proposed_by=user.address))
    )


async def _detail_view(context: AppContext, hash_: Hash32) -> ProposalDetailView:
    async with context.database.write() as session:  # the primary: a replica may not have it yet
        return ProposalDetailView.of_detail(await get_proposal_detail(session, hash_, context.safe_context))
