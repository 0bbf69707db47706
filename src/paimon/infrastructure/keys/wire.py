"""The signer's protocol: JSON over a Unix socket. Integers are decimal strings, bytes are 0x-hex."""

from typing import Any

from paimon.domain.kernel.chain import Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import (
    GasFees,
    GasFeeType,
    SignedPlan,
    SignedTransaction,
    SignedVote,
    SignRequest,
    UnsignedTransaction,
)


class MalformedMessage(ValueError):
    """The other side sent text that is no message of this protocol."""


def request_to_json(request: SignRequest) -> dict[str, Any]:
    transaction = request.transaction
    return {
        "wallet": checksum(request.wallet),
        "chainId": str(transaction.chain_id),
        "nonce": str(transaction.nonce),
        "gasLimit": str(transaction.gas_limit),
        "feeKind": transaction.gas_fee_type.value,
        "maxFeeWei": str(transaction.fees.max_fee_wei),
        "priorityFeeWei": str(transaction.fees.priority_fee_wei),
        "to": checksum(transaction.call.to),
        "valueWei": str(transaction.call.value_wei),
        "data": hex0x(transaction.call.data),
        "votes": [{"document": vote.document, "signature": hex0x(vote.signature)} for vote in request.votes],
        "plan": None if request.plan is None else _plan_to_json(request.plan),
    }


def request_from_json(body: Any) -> SignRequest:
    """Parse a request.

    Raises:
        MalformedMessage: the error names the first field that is missing or wrong.
    """
    try:
        return SignRequest(
            wallet=parse_address(_text(body, "wallet")),
            transaction=UnsignedTransaction(
                chain_id=_number(body, "chainId"),
                nonce=_number(body, "nonce"),
                gas_limit=_number(body, "gasLimit"),
                gas_fee_type=GasFeeType(_text(body, "feeKind")),
                fees=GasFees(_number(body, "maxFeeWei"), _number(body, "priorityFeeWei")),
                call=Call(parse_address(_text(body, "to")), _bytes(body, "data"), RawAmount(_number(body, "valueWei"))),
            ),
            votes=tuple(_vote(vote) for vote in _field(body, "votes", list)),
            plan=None if body.get("plan") is None else _plan(_field(body, "plan", dict)),
        )
    except MalformedMessage:
        raise
    except ValueError as error:
        raise MalformedMessage(str(error)) from error


def signed_to_json(signed: SignedTransaction) -> dict[str, str]:
    return {"raw": hex0x(signed.raw), "hash": hex0x(signed.hash)}


def signed_from_json(body: Any) -> SignedTransaction:
    """Parse the signer's answer.

    Raises:
        MalformedMessage
    """
    return SignedTransaction(_bytes(body, "raw"), Hash32(_bytes(body, "hash")))


def _vote(body: Any) -> SignedVote:
    return SignedVote(_field(body, "document", dict), _bytes(body, "signature"))


def _plan_to_json(plan: SignedPlan) -> dict[str, Any]:
    return {
        "document": plan.document,
        "signature": hex0x(plan.signature),
        "callIndex": None if plan.call_index is None else str(plan.call_index),
    }


def _plan(body: dict[str, Any]) -> SignedPlan:
    call_index = None if body.get("callIndex") is None else _number(body, "callIndex")
    return SignedPlan(_field(body, "document", dict), _bytes(body, "signature"), call_index)


def _field(body: Any, name: str, kind: type) -> Any:
    if not isinstance(body, dict) or not isinstance(value := body.get(name), kind):
        raise MalformedMessage(f"{name}: a {kind.__name__} is missing")
    return value


def _text(body: Any, name: str) -> str:
    return str(_field(body, name, str))


def _number(body: Any, name: str) -> int:
    text = _text(body, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 78):
        raise MalformedMessage(f"{name}: a whole number as a decimal string is missing")
    return int(text)


def _bytes(body: Any, name: str) -> bytes:
    text = _text(body, name)
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise MalformedMessage(f"{name}: 0x and hexadecimal digits are missing") from None
