"""Publish a draft as the next version of the approval policy, by the signature of another person than its author.

What is signed is the whole document: its hash is the effect. The checks, in this order and each with an error of its own: the
draft exists; what every signed action is checked for (identity/accept_action.py); it is based on the version in force; it has
no fault; the publisher is not the person who changed it last. Tickets keep the version that they were raised under.
"""

import structlog

from paimon.application.approval_policy.publications import (
    PublishedPolicy,
    find_current,
    get_version,
    publication_content,
)
from paimon.application.approval_policy.store import (
    PolicyDraft,
    delete_draft,
    get_draft,
    insert_policy,
    lock_policies,
)
from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.policy_check import PolicyBounds, check_policy
from paimon.domain.approval.policy_document import policy_document
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import Permission
from paimon.errors import Conflict, Forbidden
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)


class PolicyOutdated(Conflict):
    """Another version was published since the draft was changed."""


class PolicyFaulty(Conflict):
    """The draft has faults; a policy with gaps or conflicts is not published."""


class OwnDraft(Forbidden):
    """Another person than the one who changed the draft last publishes it."""


async def publish_policy(
    draft_id: int, request: SignedRequest, context: SigningContext, bounds: PolicyBounds
) -> PublishedPolicy:
    """Make the draft the version in force, and remove it from the drafts.

    Raises:
        PolicyDraftNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted, ActionChanged,
        PolicyOutdated, PolicyFaulty, OwnDraft, KeySignatureRequired, RpcUnavailable, RpcError.
    """
    publisher, scope = request.user.address, context.rules.scope
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        _, proposed = await propose_publication(session, draft_id, publisher, bounds, scope=scope)
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        await lock_policies(session)
        draft, now_proposed = await propose_publication(session, draft_id, publisher, bounds, scope=scope, lock=True)
        await accepted.record(session, now_proposed)
        await insert_policy(
            session, draft.policy, reason=request.reason, published_by=publisher, nonce=accepted.evidence.terms.nonce
        )
        await delete_draft(session, draft_id)
        published = await get_version(session, draft.policy.version, scope)
    log.info("policy.published", version=draft.policy.version, by=checksum(publisher), reason=request.reason)
    return published


async def propose_publication(
    session: ReadSession | WriteSession,
    draft_id: int,
    publisher: Address,
    bounds: PolicyBounds,
    *,
    scope: SigningScope,
    lock: bool = False,
) -> tuple[PolicyDraft, ProposedAction]:
    """Return the draft, and what this person signs to publish it as it is now.

    Raises:
        PolicyDraftNotFound
    """
    draft = await get_draft(session, draft_id, lock=lock)
    current = (await find_current(session, scope)).policy
    content = publication_content(
        draft.policy.version,
        policy_document(draft.policy),
        resource=f"/policy/drafts/{draft_id}",
        statement=f"Publish approval policy {draft.policy.version}: {_changes(current, draft.policy)}",
    )
    rejection = _rejection(draft, current, publisher, bounds)
    return draft, ProposedAction(content, Permission.MANAGE_POLICY, rejection, needs_key=True)


def _rejection(
    draft: PolicyDraft, current: ApprovalPolicy, publisher: Address, bounds: PolicyBounds
) -> Conflict | Forbidden | None:
    if draft.based_on != current.version:
        return PolicyOutdated(
            f"draft {draft.id} is based on version {draft.based_on}, version {current.version} is in force: look at what"
            " changed, and save the draft again"
        )
    if findings := check_policy(draft.policy, bounds):
        return PolicyFaulty("; ".join(f"{finding.fault}: {finding.message}" for finding in findings))
    if draft.changed_by == publisher:
        return OwnDraft(f"{checksum(publisher)} changed draft {draft.id} last: another administrator publishes it")
    return None


def _changes(before: ApprovalPolicy, after: ApprovalPolicy) -> str:
    """Name the rules that differ."""
    old, new = ({rule.name: rule for rule in policy.rules} for policy in (before, after))
    words = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "changed": [name for name in new if name in old and new[name] != old[name]],
    }
    parts = [f"{word} {', '.join(names)}" for word, names in words.items() if names]
    return "; ".join(parts) or ("another order of the rules" if list(old) != list(new) else "no change")
