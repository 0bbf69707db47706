"""The policy's versions and drafts in the database: `approval_policies`, `approval_policy_drafts`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.policy_document import parse_policy, policy_document
from paimon.domain.kernel.chain import Address, Hash32
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.approval_policy import ApprovalPolicyDraftRow, ApprovalPolicyRow
from paimon.infrastructure.database.sessions import WriteSession


class PolicyVersionNotFound(NotFound):
    """No version of the approval policy has this number."""


class PolicyDraftNotFound(NotFound):
    """There is no draft of this number; a published draft is a version."""


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """A version with its publication. `published_by` is None for version 1, which came with the database."""

    policy: ApprovalPolicy
    reason: str
    published_at: datetime
    published_by: Address | None


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A draft, and the version that it would replace."""

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


async def find_current(session: AsyncSession) -> PublishedPolicy:
    """Return the version in force, which is the newest."""
    row = (await session.scalars(select(ApprovalPolicyRow).order_by(ApprovalPolicyRow.version.desc()).limit(1))).one()
    return _published(row)


async def get_current_policy(session: AsyncSession) -> ApprovalPolicy:
    return (await find_current(session)).policy


async def get_version(session: AsyncSession, version: int) -> PublishedPolicy:
    """Return a version.

    Raises:
        PolicyVersionNotFound
    """
    row = await session.get(ApprovalPolicyRow, version)
    if row is None:
        raise PolicyVersionNotFound(f"there is no version {version} of the approval policy")
    return _published(row)


async def list_versions(session: AsyncSession) -> list[PublishedPolicy]:
    """List every version, newest first."""
    query = select(ApprovalPolicyRow).order_by(ApprovalPolicyRow.version.desc())
    return [_published(row) for row in await session.scalars(query)]


async def list_drafts(session: AsyncSession) -> list[PolicyDraft]:
    """List every draft, the last changed first."""
    query = select(ApprovalPolicyDraftRow).order_by(ApprovalPolicyDraftRow.changed_at.desc(), ApprovalPolicyDraftRow.id)
    return [_draft(row) for row in await session.scalars(query)]


async def get_draft(session: AsyncSession, draft_id: int, *, lock: bool = False) -> PolicyDraft:
    """Return a draft; with `lock`, no one changes it until this transaction ends.

    Raises:
        PolicyDraftNotFound
    """
    row = await session.get(ApprovalPolicyDraftRow, draft_id, with_for_update=lock or None, populate_existing=True)
    if row is None:
        raise PolicyDraftNotFound(f"there is no draft {draft_id} of the approval policy")
    return _draft(row)


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


def _published(row: ApprovalPolicyRow) -> PublishedPolicy:
    return PublishedPolicy(
        parse_policy(row.document, version=row.version),
        row.reason,
        row.published_at,
        row.published_by and Address(row.published_by),
    )


def _draft(row: ApprovalPolicyDraftRow) -> PolicyDraft:
    return PolicyDraft(
        id=row.id,
        based_on=row.based_on,
        title=row.title,
        policy=parse_policy(row.document, version=row.based_on + 1),
        changed_by=Address(row.changed_by),
        changed_at=row.changed_at,
    )
