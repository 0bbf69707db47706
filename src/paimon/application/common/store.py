"""Store accepted signed actions: one table of every used nonce, of votes, plans, grants and operator actions alike."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from paimon.application.common.signed_action import NonceUsed
from paimon.application.common.signing_rules import SignatureEvidence
from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.signed_action import ActionName
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_ACTIONS: Final = table_of(SignedActionRow)
_INSERT: Final = insert(_ACTIONS).on_conflict_do_nothing().returning(_ACTIONS.c.nonce)


async def is_nonce_used(session: ReadSession | WriteSession, nonce: Hash32) -> bool:
    """Return whether anything was signed with this nonce and accepted."""
    return (await session.execute(select(SignedActionRow.nonce).where(SignedActionRow.nonce == nonce))).first() is not None


async def use_nonce(session: WriteSession, evidence: SignatureEvidence, *, action: ActionName, resource: str) -> None:
    """Record an accepted signed action, in the transaction of its effect.

    The same nonce in another transaction waits here for that one's end: if it commits, this one is refused.

    Raises:
        NonceUsed
    """
    row = {
        "nonce": evidence.terms.nonce,
        "action": action,
        "resource": resource,
        "signer": evidence.signer,
        "typed_data": evidence.document,
        "signature": evidence.signature,
        "expires_at": evidence.terms.expires_at,
        "verified_at_block": evidence.verified_at_block,
    }
    if (await session.execute(_INSERT, row)).scalar_one_or_none() is None:
        raise NonceUsed
