"""How an intent ends when its nonce is spent: by the *effect*, not by a receipt's status.

Reverted because somebody was faster is `satisfied_elsewhere`, success without effect is `failed`; one that was given up ends as
that, if its effect has not come; and while the effect can still come the intent is queued again. The effect of our own success
is read at its own block, as long as the node has its state; that of anything else at the latest final one.

An effect that the node does not tell is that intent's own reason to wait, until its next check: its nonce is spent, so that
nothing else waits for it.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.intent_status import call_of, cannot_tell, close, requeue
from paimon.application.transactions.driver.node_queries import canonical_blocks, explain_failure
from paimon.application.transactions.effect import EffectUnknown, Found, effects_of
from paimon.application.transactions.store import call_attempts
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.transaction.lifecycle import NOT_YET_ERRORS, UNFUNDED_ERROR, AttemptStatus, IntentStatus, ending
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow

log = structlog.get_logger(__name__)


async def conclude(desk: Desk, spent: Sequence[IntentRow], final: BlockStamp, now: datetime) -> None:
    """End each of these by its effect, or queue it again while the effect can still come."""
    for intent, found in zip(spent, await _effects(desk, spent, final), strict=True):
        if isinstance(found, EffectUnknown):
            cannot_tell(intent, str(found), now=now, wait_seconds=desk.options.recheck_seconds)
        else:
            await _conclude(desk, intent, found, now)


async def _effects(desk: Desk, spent: Sequence[IntentRow], final: BlockStamp) -> list[Found | EffectUnknown]:
    """How each effect stands: where ours succeeded at its own block, else, or if that block's state is gone, at the final."""
    ours = {each.id: mined for each in spent if (mined := _mined(each)) is not None and _did_it(mined)}
    blocks = await canonical_blocks(desk.rpc, [each.block_number for each in ours.values() if each.block_number is not None])
    stamps = [each for each in blocks.values() if isinstance(each, BlockStamp)]
    own = {key: block for key, mined in ours.items() for block in stamps if block.hash == mined.block_hash}
    asked = [(each, own.get(each.id, final)) for each in spent]
    found = await effects_of(desk.contracts, desk.chain_id, asked)
    gone = [at for at, each in enumerate(found) if isinstance(each, EffectUnknown) and spent[at].id in own]
    for at in gone:  # full nodes keep the state of recent blocks only
        log.info("effect.state_gone", block=asked[at][1].number, reason=str(found[at]))
    if gone:
        again = await effects_of(desk.contracts, desk.chain_id, [(spent[at], final) for at in gone])
        for at, each in zip(gone, again, strict=True):
            found[at] = each
    return found


def _mined(intent: IntentRow) -> AttemptRow | None:
    """The attempt that used the nonce up; None when somebody else did."""
    return next((each for each in call_attempts(intent) if each.status is AttemptStatus.FINAL), None)


def _did_it(attempt: AttemptRow) -> bool:
    """Whether it was the call, and succeeded."""
    return bool(attempt.succeeded) and not attempt.cancels


async def _conclude(desk: Desk, intent: IntentRow, found: Found, now: datetime) -> None:
    effect, words = found
    mined, nonce = _mined(intent), call_attempts(intent)[0].nonce
    taken = f"nonce {nonce} was used by someone else"
    end = ending(effect, ours_succeeded=mined is not None and _did_it(mined))
    if end is not None:
        close(intent, end, None if end is IntentStatus.FINAL else words, now=now)
    elif intent.giving_up is not None:
        close(intent, intent.giving_up, f"{intent.giving_up_because}; {words if mined else taken}", now=now)
    elif mined is None:
        requeue(intent, f"{taken}, and {words}", now=now, wait_seconds=0)
    elif mined.cancels:
        requeue(intent, f"given up by a self-send, yet {words}", now=now, wait_seconds=0)
    else:
        await _fail(desk, intent, mined, now)


async def _fail(desk: Desk, intent: IntentRow, mined: AttemptRow, now: datetime) -> None:
    """It reverted, and its effect is not there: final, unless the contract says that its time will come."""
    if mined.block_hash is None:
        raise AssertionError("unreachable: the database wants the block of what is final")
    failure = await explain_failure(
        desk.contracts,
        Address(intent.wallet),
        call_of(intent),
        block_hash=mined.block_hash,
        out_of_gas=(mined.gas_used or 0) >= mined.gas_limit,
    )
    if failure.error_name in NOT_YET_ERRORS:
        intent.unfunded = failure.error_name == UNFUNDED_ERROR
        requeue(intent, str(failure), now=now, wait_seconds=desk.options.recheck_seconds)
    else:
        close(intent, IntentStatus.REVERTED, str(failure), now=now)
