"""Decide how an intent ends when its nonce is spent: by the *effect*, not by the status of a receipt.

    effect DONE          FINAL if our transaction succeeded, else SATISFIED_EXTERNALLY
    effect IMPOSSIBLE    CANCELLED; FAILED if our transaction succeeded without the effect
    aborting             ends as the operator or the deadline asked, if the effect has not come
    effect still DUE     queued again; REVERTED if our transaction reverted with an error that time does not cure

The effect of our own success is read at its own block, as long as the node has its state; that of anything else at the latest
final block. An effect that the node does not tell is the intent's own reason to wait until its next check. Its nonce is spent,
so that nothing else waits for it.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import close, mark_state_unknown, requeue
from paimon.application.transactions.driver.node_queries import canonical_blocks, explain_failure
from paimon.application.transactions.effect import EffectResult, EffectUnknown, read_effects
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.lifecycle import TEMPORARY_REVERT_ERRORS, UNFUNDED_ERROR, IntentStatus, ending

log = structlog.get_logger(__name__)


async def finalize_intents(
    context: SendingContext, spent: Sequence[IntentWithAttempts], final: BlockStamp, now: datetime
) -> list[IntentWithAttempts]:
    """End each of these intents by its effect, or queue it again while the effect can still come."""
    finalized: list[IntentWithAttempts] = []
    for intent, found in zip(spent, await _read_effects(context, spent, final), strict=True):
        if isinstance(found, EffectUnknown):
            wait_seconds = context.options.recheck_seconds
            finalized.append(mark_state_unknown(intent, str(found), now=now, wait_seconds=wait_seconds))
        else:
            finalized.append(await _finalize_intent(context, intent, found, now))
    return finalized


async def _read_effects(
    context: SendingContext, spent: Sequence[IntentWithAttempts], final: BlockStamp
) -> list[EffectResult | EffectUnknown]:
    """Read each effect: at the block of our own success, else, or if the state of that block is gone, at the final block."""
    successes = {
        intent.id: mined for intent in spent if (mined := intent.final_attempt) is not None and mined.is_call_successful
    }
    numbers = [mined.block_number for mined in successes.values() if mined.block_number is not None]
    blocks = await canonical_blocks(context.rpc, numbers)
    stamps = [block for block in blocks.values() if isinstance(block, BlockStamp)]
    own_blocks = {key: block for key, mined in successes.items() for block in stamps if block.hash == mined.block_hash}
    intents_at = [(intent, own_blocks.get(intent.id, final)) for intent in spent]
    found = await read_effects(context.contracts, context.chain_id, intents_at)
    pruned = [
        index for index, effect in enumerate(found) if isinstance(effect, EffectUnknown) and spent[index].id in own_blocks
    ]
    for index in pruned:  # full nodes keep the state of recent blocks only
        log.info("effect.state_pruned", block=intents_at[index][1].number, reason=str(found[index]))
    if pruned:
        reread = await read_effects(context.contracts, context.chain_id, [(spent[index], final) for index in pruned])
        for index, effect in zip(pruned, reread, strict=True):
            found[index] = effect
    return found


async def _finalize_intent(
    context: SendingContext, intent: IntentWithAttempts, found: EffectResult, now: datetime
) -> IntentWithAttempts:
    effect, description = found
    mined = intent.final_attempt
    nonce_used = f"nonce {intent.nonce} was used by a transaction that is not ours"
    end_status = ending(effect, ours_succeeded=mined is not None and mined.is_call_successful)
    if end_status is not None:
        return close(intent, end_status, None if end_status is IntentStatus.FINAL else description, now=now)
    if intent.aborting_as is not None:
        return close(intent, intent.aborting_as, f"{intent.abort_reason}; {description if mined else nonce_used}", now=now)
    if mined is None:
        return requeue(intent, f"{nonce_used}, and {description}", now=now, wait_seconds=0)
    if mined.is_cancellation:
        return requeue(intent, f"a self-send used its nonce, yet {description}", now=now, wait_seconds=0)
    return await _fail(context, intent, mined, now)


async def _fail(context: SendingContext, intent: IntentWithAttempts, mined: Attempt, now: datetime) -> IntentWithAttempts:
    """End an intent that reverted without its effect, unless the contract's error passes with time."""
    if mined.block_hash is None:
        raise AssertionError("unreachable: the database requires the block of a final attempt")
    failure = await explain_failure(
        context.contracts,
        intent.wallet,
        intent.call,
        block_hash=mined.block_hash,
        out_of_gas=(mined.gas_used or 0) >= mined.gas_limit,
    )
    if failure.error_name in TEMPORARY_REVERT_ERRORS:
        unfunded = intent.with_unfunded(failure.error_name == UNFUNDED_ERROR)
        return requeue(unfunded, str(failure), now=now, wait_seconds=context.options.recheck_seconds)
    return close(intent, IntentStatus.REVERTED, str(failure), now=now)
