"""May this key sign this call? Pure rules over the request and the policy; the call is read from its bytes, not believed.

Every transaction: the policy's chain, gas and price within the caps, no value. Then one of

1. a self-send with no data: it only uses up a nonce, and every key may make one;
2. a settlement: it decides nothing, for the chain itself refuses what is not due;
3. a ruling on a request awaiting approval: lawful only by its votes (see votes.py).

Everything else is refused, with a code that stays the same and a sentence for people.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.approval import Verdict
from paimon.domain.chain import checksum
from paimon.domain.signing import SignRequest, UnsignedTransaction
from paimon.gateway.signer.policy import KeyTable, SignableFunction, SignerPolicy
from paimon.infrastructure.blockchain.abi import ContractAbi, UnknownCall


class Refusal(StrEnum):
    """Stable codes of what the signer will not do."""

    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    WRONG_CHAIN = "WRONG_CHAIN"
    CAP_EXCEEDED = "CAP_EXCEEDED"
    VALUE_NOT_ZERO = "VALUE_NOT_ZERO"
    WRONG_CONTRACT = "WRONG_CONTRACT"
    UNKNOWN_CALL = "UNKNOWN_CALL"
    FUNCTION_NOT_ALLOWED = "FUNCTION_NOT_ALLOWED"
    TOO_MANY_VOTES = "TOO_MANY_VOTES"
    TOO_FEW_VOTES = "TOO_FEW_VOTES"
    MALFORMED_VOTE = "MALFORMED_VOTE"
    FOREIGN_DOMAIN = "FOREIGN_DOMAIN"
    OTHER_REQUEST = "OTHER_REQUEST"
    OTHER_VERDICT = "OTHER_VERDICT"
    OTHER_REASON = "OTHER_REASON"
    OTHER_PARTIES = "OTHER_PARTIES"
    OTHER_AMOUNT = "OTHER_AMOUNT"
    UNKNOWN_REQUEST = "UNKNOWN_REQUEST"
    NOT_AWAITING_APPROVAL = "NOT_AWAITING_APPROVAL"
    REPEATED_VOTER = "REPEATED_VOTER"
    VOTER_IS_PARTY = "VOTER_IS_PARTY"
    VOTER_LACKS_ROLE = "VOTER_LACKS_ROLE"
    CANNOT_CHECK = "CANNOT_CHECK"
    KEY_UNAVAILABLE = "KEY_UNAVAILABLE"


class Refused(Exception):
    """The signer will not sign this."""

    def __init__(self, code: Refusal, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SelfSend:
    """Uses up a nonce and does nothing."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Pays what is due."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """An approval or a rejection; `reason` is empty for an approval, whose call carries none."""

    request_id: int
    verdict: Verdict
    reason: str


Permitted = SelfSend | Settlement | Ruling

_SETTLEMENTS: Final = frozenset({SignableFunction.SETTLE, SignableFunction.SETTLE_SCHEDULED})


def examine(request: SignRequest, policy: SignerPolicy, manager: ContractAbi) -> tuple[KeyTable, Permitted]:
    """The key and what the transaction would do, if the policy lets this key do that. `manager` is the RedemptionManager's ABI.

    Raises:
        Refused.
    """
    key = policy.key(request.wallet)
    if key is None:
        raise Refused(Refusal.UNKNOWN_KEY, f"there is no key {checksum(request.wallet)} here")
    _within_limits(request.transaction, policy)
    return key, _permitted(request, key, policy, manager)


def _within_limits(transaction: UnsignedTransaction, policy: SignerPolicy) -> None:
    if transaction.chain_id != policy.chain_id:
        raise Refused(Refusal.WRONG_CHAIN, f"asked for chain {transaction.chain_id}, the policy is for {policy.chain_id}")
    if transaction.gas_limit > policy.caps.gas_limit_max:
        raise Refused(
            Refusal.CAP_EXCEEDED, f"gas limit {transaction.gas_limit} is above the cap of {policy.caps.gas_limit_max}"
        )
    if transaction.fees.max_fee_wei > policy.caps.fee_wei_max:
        raise Refused(
            Refusal.CAP_EXCEEDED,
            f"{transaction.fees.max_fee_wei} wei per gas are above the cap of {policy.caps.fee_wei_max}",
        )
    if transaction.call.value_wei != 0:
        raise Refused(Refusal.VALUE_NOT_ZERO, f"no key here sends value, asked for {transaction.call.value_wei} wei")


def _permitted(request: SignRequest, key: KeyTable, policy: SignerPolicy, manager: ContractAbi) -> Permitted:
    call = request.transaction.call
    if call.to == request.wallet and not call.data:
        return SelfSend()
    if call.to != policy.contracts.redemption_manager:
        raise Refused(Refusal.WRONG_CONTRACT, f"{checksum(call.to)} is not the RedemptionManager of the policy")
    try:
        name, arguments = manager.decode_call(call.data)
    except UnknownCall as error:
        raise Refused(Refusal.UNKNOWN_CALL, str(error)) from error
    if name not in key.functions:
        allowed = ", ".join(sorted(key.functions))
        raise Refused(Refusal.FUNCTION_NOT_ALLOWED, f"key {key.name} may call {allowed or 'nothing'}, not {name}")
    request_id = int(arguments["requestId"])
    if name in _SETTLEMENTS:
        return Settlement(request_id)
    if name == SignableFunction.REJECT:
        return Ruling(request_id, Verdict.REJECT, str(arguments["reason"]))
    return Ruling(request_id, Verdict.APPROVE, "")
