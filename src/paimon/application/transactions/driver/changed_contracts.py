"""Hold what would be signed while a contract of the fund is another program than before, and no administrator confirmed it.

The contracts move money together: a settlement reaches the Vault and the AssetController through the RedemptionManager. So the
change of one holds every call, also one that a Safe makes, but a pause, which is what stops a harmful contract, and a Safe's
rejection, which calls no contract. A self-send that cancels is no call of the fund.
"""

from typing import Final

from eth_utils.crypto import keccak

from paimon.application.deployment.confirmation import find_unconfirmed_change
from paimon.application.transactions.driver.context import SendingContext
from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import Call, IntentKind
from paimon.domain.transaction.multi_send import MalformedBatch, UntrustedDelegatecall, read_safe_calls
from paimon.infrastructure.blockchain.abi.contract_abi import UnknownCall
from paimon.infrastructure.blockchain.contracts.safe import parse_execution
from paimon.infrastructure.database.sessions import WriteSession

_PAUSE: Final = bytes(keccak(text="pause()")[:4])


async def find_hold(context: SendingContext, session: WriteSession, intent: Intent) -> str | None:
    """Return the change of a contract that holds this intent's call back, with what confirms it, or None."""
    if not waits_for_confirmation(intent, multi_send=context.options.multi_send):
        return None
    return await find_unconfirmed_change(session, context.scope)


def waits_for_confirmation(intent: Intent, *, multi_send: Address) -> bool:
    """Report whether a change of a contract holds the intent's call. A Safe's call that cannot be read is held too."""
    return not all(_may_go_on(call, intent) for call in _calls(intent, multi_send))


def _may_go_on(call: Call, intent: Intent) -> bool:
    is_rejection = intent.kind is IntentKind.EXECUTE_SAFE and call == Call(intent.call.to, b"")
    return call.data == _PAUSE or is_rejection


def _calls(intent: Intent, multi_send: Address) -> tuple[Call, ...]:
    """Return the calls that the intent makes: its own, or those that a Safe makes in it."""
    if intent.kind is not IntentKind.EXECUTE_SAFE:
        return (intent.call,)
    try:
        execution = parse_execution(intent.call.data)
        return read_safe_calls(execution.call, execution.operation, multi_send=multi_send)
    except (UnknownCall, MalformedBatch, UntrustedDelegatecall):
        return (intent.call,)
