"""Endpoints of the approval policy: read it, draft the next version, try an operation, publish a draft."""

from typing import Annotated, Final

from fastapi import APIRouter, Path

from paimon.application.approval_policy.bounds import policy_bounds
from paimon.application.approval_policy.draft import WriteDraft, remove_draft, write_draft
from paimon.application.approval_policy.publications import find_current, get_current_policy, get_version, list_versions
from paimon.application.approval_policy.publish import publish_policy
from paimon.application.approval_policy.store import PolicyDraft, get_draft, list_drafts
from paimon.composition import AppContext
from paimon.domain.approval.policy_check import check_policy
from paimon.gateway.rest.dependencies import ContextDep, PolicyManager, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.views.policy import (
    DraftBody,
    DraftRemovedView,
    PolicyDraftsView,
    PolicyDraftView,
    PolicyDryRunBody,
    PolicyDryRunView,
    PolicyVersionsView,
    PolicyView,
)
from paimon.gateway.rest.views.signed_action import SignedActionBody

router = APIRouter(prefix="/policy", tags=["policy"])

_DraftId = Annotated[int, Path(alias="draftId", ge=1, lt=2**63)]
_Version = Annotated[int, Path(ge=1, lt=2**31)]
_DRAFT_ERRORS: Final = (400, 401, 403, 404, 413, 415, 503)


@router.get(
    "",
    operation_id="getPolicy",
    summary="Show the approval policy in force",
    responses=documented_responses("policy", 401, 503),
)
async def current(context: ContextDep, _user: SignedInUser) -> Envelope[PolicyView]:
    async with context.database.read() as session:
        return Envelope[PolicyView](data=PolicyView.of(await find_current(session, context.signing_rules.scope)))


@router.get(
    "/versions",
    operation_id="listPolicyVersions",
    summary="List the versions of the approval policy, newest first",
    responses=documented_responses("policy_versions", 401, 503),
)
async def versions(context: ContextDep, _user: SignedInUser) -> Envelope[PolicyVersionsView]:
    async with context.database.read() as session:
        found = await list_versions(session, context.signing_rules.scope)
    return Envelope[PolicyVersionsView](data=PolicyVersionsView.of(found))


@router.get(
    "/versions/{version}",
    operation_id="getPolicyVersion",
    summary="Show a version of the approval policy",
    responses=documented_responses("policy", 400, 401, 404, 503),
)
async def version(version: _Version, context: ContextDep, _user: SignedInUser) -> Envelope[PolicyView]:
    """A ticket names the version that it was raised under."""
    async with context.database.read() as session:
        return Envelope[PolicyView](data=PolicyView.of(await get_version(session, version, context.signing_rules.scope)))


@router.post(
    "/dry-run",
    operation_id="dryRunPolicy",
    summary="Show which rule would decide an operation",
    responses=documented_responses("policy_dry_run", *_DRAFT_ERRORS),
)
async def dry_run(body: PolicyDryRunBody, context: ContextDep, _user: SignedInUser) -> Envelope[PolicyDryRunView]:
    """Nothing is changed. A rule that stands before the deciding one is listed with what does not match."""
    async with context.database.read() as session:
        if body.draft_id is None:
            policy = await get_current_policy(session, context.signing_rules.scope)
        else:
            policy = (await get_draft(session, body.draft_id)).policy
    return Envelope[PolicyDryRunView](data=PolicyDryRunView.of(policy, body.operation))


@router.get(
    "/drafts",
    operation_id="listPolicyDrafts",
    summary="List the drafts of the next version, with their faults",
    responses=documented_responses("policy_drafts", 401, 503),
)
async def drafts(context: ContextDep, _user: SignedInUser) -> Envelope[PolicyDraftsView]:
    async with context.database.read() as session:
        found, in_force = await list_drafts(session), await get_current_policy(session, context.signing_rules.scope)
    views = [_view(draft, in_force.version, context) for draft in found]
    return Envelope[PolicyDraftsView](data=PolicyDraftsView(items=views))


@router.post(
    "/drafts",
    operation_id="createPolicyDraft",
    summary="Write a draft of the next version",
    responses=documented_responses("policy_draft", 400, 401, 403, 413, 415, 503),
)
async def create(body: DraftBody, context: ContextDep, user: PolicyManager) -> Envelope[PolicyDraftView]:
    """A draft may have faults, which `findings` lists. It changes nothing before it is published."""
    draft = await write_draft(
        WriteDraft(user, body.title, body.document), database=context.database, scope=context.signing_rules.scope
    )
    return Envelope[PolicyDraftView](data=_view(draft, draft.based_on, context))


@router.put(
    "/drafts/{draftId}",
    operation_id="changePolicyDraft",
    summary="Replace the text of a draft",
    responses=documented_responses("policy_draft", *_DRAFT_ERRORS),
)
async def change(draft_id: _DraftId, body: DraftBody, context: ContextDep, user: PolicyManager) -> Envelope[PolicyDraftView]:
    """The draft is then based on the version in force. Who changed it last does not publish it."""
    command, scope = WriteDraft(user, body.title, body.document), context.signing_rules.scope
    draft = await write_draft(command, database=context.database, scope=scope, draft_id=draft_id)
    return Envelope[PolicyDraftView](data=_view(draft, draft.based_on, context))


@router.delete(
    "/drafts/{draftId}",
    operation_id="removePolicyDraft",
    summary="Remove a draft",
    responses=documented_responses("policy_draft_removed", 400, 401, 403, 404, 503),
)
async def remove(draft_id: _DraftId, context: ContextDep, user: PolicyManager) -> Envelope[DraftRemovedView]:
    await remove_draft(draft_id, user, database=context.database)
    return Envelope[DraftRemovedView](data=DraftRemovedView(id=draft_id))


@router.post(
    "/drafts/{draftId}/publish",
    operation_id="publishPolicy",
    summary="Publish a draft as the version in force",
    responses=documented_responses("policy_published", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def publish(draft_id: _DraftId, body: SignedActionBody, context: ContextDep, user: SignedInUser) -> Envelope[PolicyView]:
    """Publish it as another administrator signed it: the document of `publish_policy` from `POST /signed-actions`.

    Refused is a draft with faults, one that is based on an older version, and one's own.
    """
    bounds = policy_bounds(context.settings)
    published = await publish_policy(draft_id, body.request_of(user), context.signing, bounds)
    return Envelope[PolicyView](data=PolicyView.of(published))


def _view(draft: PolicyDraft, in_force: int, context: AppContext) -> PolicyDraftView:
    findings = check_policy(draft.policy, policy_bounds(context.settings))
    return PolicyDraftView.of(draft, in_force, findings)
