"""The published versions of the approval policy: a row alone is no version.

A version counts if someone who might publish it signed exactly its document and number. Version 1 came with the database, by
the owner of its tables. A version that does not count is left out everywhere, and the one before it stays in force.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from paimon.application.approval_policy.store import StoredVersion, list_stored_versions
from paimon.application.common.stored_signature import recover_signer
from paimon.application.identity.signed_users import list_past_holders
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.policy_document import canonical_text, parse_policy
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.user.roles import Permission
from paimon.errors import NotFound
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)

_FIRST_VERSION: Final = 1


class PolicyVersionNotFound(NotFound):
    """No version of the approval policy has this number."""


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """A version that counts, with its publication. `published_by` is None for version 1."""

    policy: ApprovalPolicy
    reason: str
    published_at: datetime
    published_by: Address | None


async def find_current(session: ReadSession | WriteSession, scope: SigningScope) -> PublishedPolicy:
    """Return the version in force: the newest that counts."""
    return await anext(_counting(session, scope))


async def get_current_policy(session: ReadSession | WriteSession, scope: SigningScope) -> ApprovalPolicy:
    return (await find_current(session, scope)).policy


async def get_version(session: ReadSession | WriteSession, version: int, scope: SigningScope) -> PublishedPolicy:
    """Return a version that counts.

    Raises:
        PolicyVersionNotFound
    """
    async for published in _counting(session, scope, version):
        return published
    raise PolicyVersionNotFound(f"there is no version {version} of the approval policy")


async def list_versions(session: ReadSession | WriteSession, scope: SigningScope) -> list[PublishedPolicy]:
    """List every version that counts, newest first."""
    return [published async for published in _counting(session, scope)]


async def list_unsigned_versions(session: ReadSession | WriteSession, scope: SigningScope) -> list[tuple[StoredVersion, str]]:
    """List every stored version that counts for nothing, each with the reason."""
    stored = await list_stored_versions(session)
    publishers = await list_past_holders(session, Permission.MANAGE_POLICY, scope)
    return [(version, fault) for version in stored if (fault := _fault(version, publishers, scope)) is not None]


async def _counting(
    session: ReadSession | WriteSession, scope: SigningScope, version: int | None = None
) -> AsyncIterator[PublishedPolicy]:
    publishers = await list_past_holders(session, Permission.MANAGE_POLICY, scope)
    for stored in await list_stored_versions(session, version):
        if (fault := _fault(stored, publishers, scope)) is not None:
            log.critical("policy.not_signed", version=stored.version, reason=fault)
            continue
        policy = parse_policy(stored.document, version=stored.version)
        yield PublishedPolicy(policy, stored.reason, stored.published_at, stored.published_by)


def publication_content(version: int, document: Mapping[str, Any], *, resource: str, statement: str) -> ActionContent:
    """Return what a person signs to publish this document as this version."""
    effect = effect_hash(str(version), canonical_text(document))
    return ActionContent(ActionName.PUBLISH_POLICY, resource, statement, effect)


def _fault(stored: StoredVersion, publishers: Collection[Address], scope: SigningScope) -> str | None:
    """Explain why the stored version counts for nothing; None when it counts."""
    if stored.version == _FIRST_VERSION:
        return None
    if stored.evidence is None or stored.published_by is None:
        return "it has no signature"
    if stored.published_by not in publishers:
        return f"no signed grant ever let {checksum(stored.published_by)} publish a policy"
    try:
        signed_words = stored.evidence.document["message"]
        # The words are for the signer's eyes, so they are taken as they were signed; the effect binds document and version.
        content = publication_content(
            stored.version, stored.document, resource=signed_words["resource"], statement=signed_words["statement"]
        )
        document = content.document(stored.reason, stored.evidence.terms, scope)
    except (KeyError, TypeError):
        return "what was signed is no publication"
    if recover_signer(document, stored.evidence.signature) != stored.published_by:
        return f"{checksum(stored.published_by)} did not sign it"
    return None
