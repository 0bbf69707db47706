"""One person's remedy, written down: a reaction is due again at once, a log waits for the next rebuild of the books.

What is checked, in this order, each with an exception of its own: what it is about exists; the signature is one; its expiry
lies ahead, and not too far; its nonce was never used; it was made by the signed-in wallet over exactly this; that person may;
it makes sense now. At a terminal of the house nobody signs: whoever asks there is named, and must be a user who may.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import select, update

from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.users import require
from paimon.application.quarantine.store import Judged, Target, judge
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.kernel.eip712 import VoteScope, require_acceptable
from paimon.domain.risk.operator_decision import RemedyKind, RemedyNotPossible, RemedyState, Subject, remedy_document
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.keys.signatures import parse_signature, recover_typed
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

CARRY_OUT_VERDICTS: Final = "carry_out_verdicts"
"""The reaction to decisions about logs: rebuild the books with them."""

NEEDS: Final[dict[RemedyKind, Permission]] = {
    RemedyKind.REPLAY_REACTION: Permission.REPLAY_REACTIONS,
    RemedyKind.RELEASE_LOG: Permission.HANDLE_QUARANTINE,
    RemedyKind.SKIP_LOG: Permission.HANDLE_QUARANTINE,
}


@dataclass(frozen=True, slots=True)
class SignedWords:
    """The free parts of the typed data somebody signed, and where it counts."""

    nonce: Hash32
    expires_at: datetime
    signature: str
    scope: VoteScope
    ttl_seconds_max: int


@dataclass(frozen=True, slots=True)
class AskRemedy:
    kind: RemedyKind
    target: Target
    user: User
    reason: str
    signed: SignedWords | None = None


async def ask_remedy(command: AskRemedy, *, database: Database) -> OperatorDecisionRow:
    """The remedy as it was written down.

    Raises:
        ReactionNotFound, LogNotFound, MalformedSignature, VoteNotAcceptable, NonceUsed, SignerMismatch, NotPermitted,
        RemedyNotPossible.
    """
    async with database.write() as session:
        judged = await judge(session, command.kind, command.target, lock=True)
        signed = {} if command.signed is None else await _signed(session, command, judged.subject, command.signed)
        require(command.user, NEEDS[command.kind])
        if judged.why_not is not None:
            raise RemedyNotPossible(judged.why_not)
        remedy = OperatorDecisionRow(
            kind=command.kind,
            about=judged.subject.about,
            reason=command.reason,
            asked_by=command.user.address,
            **judged.columns,
            **signed,
        )
        await _begin(session, remedy, judged)
        session.add(remedy)
        await session.flush()
        await session.refresh(remedy)
    log.info(
        "remedy.asked",
        remedy=remedy.id,
        kind=remedy.kind,
        subject=judged.subject.name,
        by=checksum(remedy.asked_by),
        signed=command.signed is not None,
        reason=remedy.reason,
    )
    return remedy


async def _signed(session: WriteSession, command: AskRemedy, subject: Subject, words: SignedWords) -> dict[str, Any]:
    signature = parse_signature(words.signature)
    require_acceptable(words.expires_at, now=await database_now(session), ttl_seconds_max=words.ttl_seconds_max)
    used = select(OperatorDecisionRow.id).where(OperatorDecisionRow.nonce == words.nonce)
    if (await session.execute(used)).first() is not None:
        raise NonceUsed("this nonce was used before; a signature counts once")
    document = remedy_document(
        command.kind, subject, command.reason, nonce=words.nonce, expires_at=words.expires_at, scope=words.scope
    )
    if recover_typed(document, signature) != command.user.address:
        raise SignerMismatch(
            f"the signature is not {checksum(command.user.address)}'s over this remedy, subject, reason, nonce and expiry"
        )
    return {"nonce": words.nonce, "expires_at": words.expires_at, "typed_data": document, "signature": signature}


async def _begin(session: WriteSession, remedy: OperatorDecisionRow, judged: Judged) -> None:
    if remedy.outbox_id is None:
        await outbox.add(session, CARRY_OUT_VERDICTS, judged.subject.name, priority=OutboxPriority.REPORTS)
        return
    now = await database_now(session)
    again = {"dead_at": None, "attempts": 0, "enqueued_at": None, "available_at": now}
    await session.execute(update(OutboxMessageRow).where(OutboxMessageRow.id == remedy.outbox_id).values(again))
    await outbox.ring(session)
    remedy.state, remedy.outcome, remedy.ended_at = RemedyState.DONE, "due again", now
