"""Store operator actions."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from paimon.application.common.signing_rules import SignatureEvidence
from paimon.application.transactions.operator.queries import RecordedAction, recorded_action
from paimon.domain.transaction.operator_action import ActionKind, ActionTarget
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.sessions import WriteSession


async def insert_action(
    session: WriteSession, kind: ActionKind, target: ActionTarget, reason: str, evidence: SignatureEvidence
) -> RecordedAction | None:
    """Insert the action; None if another action on the target is requested and not carried out.

    An equal request at the same moment waits here for the other one's commit, and then finds that row in the way.
    """
    inserted = await session.execute(
        insert(OperatorActionRow)
        .values(
            nonce=evidence.terms.nonce,
            kind=kind,
            wallet=target.wallet,
            intent_id=target.intent_id,
            target=target.target,
            reason=reason,
            requested_by=evidence.signer,
            typed_data=evidence.document,
            signature=evidence.signature,
            expires_at=evidence.terms.expires_at,
        )
        .on_conflict_do_nothing()
        .returning(OperatorActionRow.nonce)
    )
    if inserted.scalar_one_or_none() is None:
        return None
    row = (await session.scalars(select(OperatorActionRow).where(OperatorActionRow.nonce == evidence.terms.nonce))).one()
    return recorded_action(row)
