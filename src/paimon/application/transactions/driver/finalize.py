"""How an intent ends when its nonce is spent: by the *effect*, not by a receipt's status.

Reverted because somebody was faster is `SATISFIED_EXTERNALLY`, success without effect is `failed`; one that was given up ends as
that, if its effect has not come; and while the effect can still come the intent is queued again. The effect of our own success
is read at its own block, as long as the node has its state; that of anything else at the latest final one.

An effect that the node does not tell is that intent's own reason to wait, until its next check: its nonce is spent, so that
nothing else waits for it.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import call_of, close, mark_status_unknown, requeue
from paimon.application.transactions.driver.node_queries import canonical_blocks, explain_failure
from paimon.application.transactions.effect import EffectResult, EffectUnknown, read_effects
from paimon.application.transactions.store import current_attempts
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.transaction.lifecycle import TEMPORARY_REVERT_ERRORS, UNFUNDED_ERROR, AttemptStatus, IntentStatus, ending
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow

log = structlog.get_logger(__name__)


async def finalize_intents(context: SendingContext, spent: Sequence[IntentRow], final: BlockStamp, now: datetime) -> None:
    """End each of these by its effect, or queue it again while the effect can still come."""
    for intent, found in zip(spent, await _read_effects(context, spent, final), strict=True):
        if isinstance(found, EffectUnknown):
            mark_status_unknown(intent, str(found), now=now, wait_seconds=context.options.recheck_seconds)
        else:
            await _finalize_intent(context, intent, found, now)


async def _read_effects(
    context: SendingContext, spent: Sequence[IntentRow], final: BlockStamp
) -> list[EffectResult | EffectUnknown]:
    """How each effect stands: where ours succeeded at its own block, else, or if that block's state is gone, at the final."""
    ours = {each.id: mined for each in spent if (mined := _final_attempt(each)) is not None and _call_succeeded(mined)}
    blocks = await canonical_blocks(context.rpc, [each.block_number for each in ours.values() if each.block_number is not None])
    stamps = [each for each in blocks.values() if isinstance(each, BlockStamp)]
    own_blocks = {key: block for key, mined in ours.items() for block in stamps if block.hash == mined.block_hash}
    intents_at = [(each, own_blocks.get(each.id, final)) for each in spent]
    found = await read_effects(context.contracts, context.chain_id, intents_at)
    pruned = [at for at, each in enumerate(found) if isinstance(each, EffectUnknown) and spent[at].id in own_blocks]
    for at in pruned:  # full nodes keep the state of recent blocks only
        log.info("effect.state_pruned", block=intents_at[at][1].number, reason=str(found[at]))
    if pruned:
        reread = await read_effects(context.contracts, context.chain_id, [(spent[at], final) for at in pruned])
        for at, each in zip(pruned, reread, strict=True):
            found[at] = each
    return found


def _final_attempt(intent: IntentRow) -> AttemptRow | None:
    """The attempt that used the nonce up; None when somebody else did."""
    return next((each for each in current_attempts(intent) if each.status is AttemptStatus.FINAL), None)


def _call_succeeded(attempt: AttemptRow) -> bool:
    """Whether it was the call, and succeeded."""
    return bool(attempt.succeeded) and not attempt.cancels


async def _finalize_intent(context: SendingContext, intent: IntentRow, found: EffectResult, now: datetime) -> None:
    effect, description = found
    mined, nonce = _final_attempt(intent), current_attempts(intent)[0].nonce
    nonce_used = f"nonce {nonce} was used by someone else"
    end_status = ending(effect, ours_succeeded=mined is not None and _call_succeeded(mined))
    if end_status is not None:
        close(intent, end_status, None if end_status is IntentStatus.FINAL else description, now=now)
    elif intent.aborting_as is not None:
        close(intent, intent.aborting_as, f"{intent.abort_reason}; {description if mined else nonce_used}", now=now)
    elif mined is None:
        requeue(intent, f"{nonce_used}, and {description}", now=now, wait_seconds=0)
    elif mined.cancels:
        requeue(intent, f"given up by a self-send, yet {description}", now=now, wait_seconds=0)
    else:
        await _fail(context, intent, mined, now)


async def _fail(context: SendingContext, intent: IntentRow, mined: AttemptRow, now: datetime) -> None:
    """It reverted, and its effect is not there: final, unless the contract says that its time will come."""
    if mined.block_hash is None:
        raise AssertionError("unreachable: the database wants the block of what is final")
    failure = await explain_failure(
        context.contracts,
        Address(intent.wallet),
        call_of(intent),
        block_hash=mined.block_hash,
        out_of_gas=(mined.gas_used or 0) >= mined.gas_limit,
    )
    if failure.error_name in TEMPORARY_REVERT_ERRORS:
        intent.unfunded = failure.error_name == UNFUNDED_ERROR
        requeue(intent, str(failure), now=now, wait_seconds=context.options.recheck_seconds)
    else:
        close(intent, IntentStatus.REVERTED, str(failure), now=now)
