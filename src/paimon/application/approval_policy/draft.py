"""Draft the next version of the approval policy. A draft may have faults; its publication may not."""

from dataclasses import dataclass
from typing import Any

import structlog

from paimon.application.approval_policy.publications import find_current
from paimon.application.approval_policy.store import (
    DraftContent,
    PolicyDraft,
    delete_draft,
    get_draft,
    insert_draft,
    next_version,
    save_draft,
)
from paimon.application.identity.permissions import require_permission
from paimon.domain.approval.policy_document import parse_policy
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriteDraft:
    """A user's text of a draft: the whole document of the policy."""

    user: User
    title: str
    document: Any


async def write_draft(
    command: WriteDraft, *, database: Database, scope: SigningScope, draft_id: int | None = None
) -> PolicyDraft:
    """Write a new draft, or replace one. It is then based on the version in force.

    Raises:
        InvalidPolicy, NotPermitted, PolicyDraftNotFound.
    """
    require_permission(command.user, Permission.MANAGE_POLICY)
    async with database.write() as session:
        content = await _content(session, command, scope)
        if draft_id is None:
            draft_id = await insert_draft(session, content)
        else:
            await get_draft(session, draft_id, lock=True)
            await save_draft(session, draft_id, content)
        draft = await get_draft(session, draft_id)
    log.info("policy.drafted", draft=draft_id, based_on=draft.based_on, by=checksum(command.user.address))
    return draft


async def remove_draft(draft_id: int, user: User, *, database: Database) -> None:
    """Remove a draft.

    Raises:
        NotPermitted, PolicyDraftNotFound.
    """
    require_permission(user, Permission.MANAGE_POLICY)
    async with database.write() as session:
        await get_draft(session, draft_id, lock=True)
        await delete_draft(session, draft_id)
    log.info("policy.draft_removed", draft=draft_id, by=checksum(user.address))


async def _content(session: WriteSession, command: WriteDraft, scope: SigningScope) -> DraftContent:
    current = await find_current(session, scope)
    return DraftContent(
        title=command.title,
        policy=parse_policy(command.document, version=await next_version(session)),
        based_on=current.policy.version,
        changed_by=command.user.address,
        changed_at=await database_now(session),
    )
