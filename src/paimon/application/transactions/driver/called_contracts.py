"""The contracts that an intent's call reaches first: the one that it names, or those that a Safe calls in it."""

from typing import Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import Call, IntentKind
from paimon.domain.transaction.multi_send import MalformedBatch, UntrustedDelegatecall, read_safe_calls
from paimon.infrastructure.blockchain.abi.contract_abi import UnknownCall
from paimon.infrastructure.blockchain.contracts.safe import parse_execution

_PAUSE: Final = bytes(keccak(text="pause()")[:4])


def contracts_to_confirm(intent: Intent, *, multi_send: Address) -> frozenset[Address]:
    """Return the contracts whose changes must be confirmed before this intent is signed.

    A pause is not held back: it is what stops a harmful contract. A Safe's call that cannot be read is the signer's to refuse.
    """
    return frozenset(call.to for call in _calls(intent, multi_send) if call.data != _PAUSE)


def _calls(intent: Intent, multi_send: Address) -> tuple[Call, ...]:
    if intent.kind is not IntentKind.EXECUTE_SAFE:
        return (intent.call,)
    try:
        execution = parse_execution(intent.call.data)
        return read_safe_calls(execution.call, execution.operation, multi_send=multi_send)
    except (UnknownCall, MalformedBatch, UntrustedDelegatecall):
        return (intent.call,)
