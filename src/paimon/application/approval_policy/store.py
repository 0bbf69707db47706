"""The policy's versions and drafts in the database: `approval_policies`, `approval_policy_drafts`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.signing_rules import SignatureEvidence
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.policy_document import parse_policy, policy_document
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.approval_policy import ApprovalPolicyDraftRow, ApprovalPolicyRow
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.sessions import WriteSession


class PolicyDraftNotFound(NotFound):
    """There is no draft of this number; a published draft is a version."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version as its row has it, which its signed action (`evidence`) has yet to confirm.

    `published_by` is None for version 1, which came with the database.
    """

    version: int
    document: dict[str, Any]
    reason: str
    published_at: datetime
    published_by: Address | None
    evidence: SignatureEvidence | None


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A draft as the next version, and the version that was in force when it was changed."""

    id: int
    based_on: int
    title: str
    policy: ApprovalPolicy
    changed_by: Address
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class DraftContent:
    """What a person wrote, when."""

    title: str
    policy: ApprovalPolicy
    based_on: int
    changed_by: Address
    changed_at: datetime

    def values(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "document": policy_document(self.policy),
            "based_on": self.based_on,
            "changed_by": self.changed_by,
            "changed_at": self.changed_at,
        }


async def list_stored_versions(session: AsyncSession, version: int | None = None) -> list[StoredVersion]:
    """List every stored version, or the one of this number, newest first, each with what was signed to publish it."""
    query = select(ApprovalPolicyRow, SignedActionRow).outerjoin(
        SignedActionRow, SignedActionRow.nonce == ApprovalPolicyRow.nonce
    )
    if version is not None:
        query = query.where(ApprovalPolicyRow.version == version)
    rows = await session.execute(query.order_by(ApprovalPolicyRow.version.desc()))
    return [_stored(row, action) for row, action in rows]


async def next_version(session: AsyncSession) -> int:
    """Return the number of the next version. A row that counts for nothing has its number too."""
    return int((await session.execute(select(func.max(ApprovalPolicyRow.version)))).scalar_one()) + 1


async def list_drafts(session: AsyncSession) -> list[PolicyDraft]:
    """List every draft, the last changed first."""
    query = select(ApprovalPolicyDraftRow).order_by(ApprovalPolicyDraftRow.changed_at.desc(), ApprovalPolicyDraftRow.id)
    version = await next_version(session)
    return [_draft(row, version) for row in await session.scalars(query)]


async def get_draft(session: AsyncSession, draft_id: int, *, lock: bool = False) -> PolicyDraft:
    """Return a draft; with `lock`, no one changes it until this transaction ends.

    Raises:
        PolicyDraftNotFound
    """
    row = await session.get(ApprovalPolicyDraftRow, draft_id, with_for_update=lock or None, populate_existing=True)
    if row is None:
        raise PolicyDraftNotFound(f"there is no draft {draft_id} of the approval policy")
    return _draft(row, await next_version(session))


async def lock_policies(session: WriteSession) -> None:
    """Let one publication happen at a time: each takes the next version."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('ops.approval_policies'))"))


async def insert_draft(session: WriteSession, draft: DraftContent) -> int:
    row = ApprovalPolicyDraftRow(**draft.values())
    session.add(row)
    await session.flush()
    return row.id


async def save_draft(session: WriteSession, draft_id: int, draft: DraftContent) -> None:
    row = await session.get_one(ApprovalPolicyDraftRow, draft_id)
    for name, value in draft.values().items():
        setattr(row, name, value)
    await session.flush()


async def delete_draft(session: WriteSession, draft_id: int) -> None:
    await session.execute(delete(ApprovalPolicyDraftRow).where(ApprovalPolicyDraftRow.id == draft_id))


async def insert_policy(
    session: WriteSession, policy: ApprovalPolicy, *, reason: str, published_by: Address, nonce: Hash32
) -> None:
    row = ApprovalPolicyRow(
        version=policy.version,
        document=policy_document(policy),
        reason=reason,
        published_by=published_by,
        nonce=nonce,
    )
    session.add(row)
    await session.flush()


def _stored(row: ApprovalPolicyRow, action: SignedActionRow | None) -> StoredVersion:
    evidence = None
    if action is not None:
        terms = SignatureTerms(Hash32(action.nonce), as_utc(action.expires_at))
        evidence = SignatureEvidence(
            Address(action.signer), terms, action.typed_data, action.signature, action.verified_at_block
        )
    published_by = row.published_by and Address(row.published_by)
    return StoredVersion(row.version, row.document, row.reason, row.published_at, published_by, evidence)


def _draft(row: ApprovalPolicyDraftRow, version: int) -> PolicyDraft:
    return PolicyDraft(
        id=row.id,
        based_on=row.based_on,
        title=row.title,
        policy=parse_policy(row.document, version=version),
        changed_by=Address(row.changed_by),
        changed_at=row.changed_at,
    )
