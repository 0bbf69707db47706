"""Check whether a key may sign a call. Pure rules over the request and the policy; the call is decoded from its bytes.

Every transaction is for the policy's chain, has gas and price within the caps, and sends no value. It is one of

1. a self-send with no data: it only uses up a nonce, and every key may make one
2. a settlement: it decides nothing, because the chain refuses a settlement that is not due
3. a decision on a request that awaits approval: allowed by its votes only (votes.py)
4. a movement of the fund's money between its tiers: allowed by a signed plan only (plan_documents.py), and within the key's
   limits (ledger.py)
5. the execution of a Safe transaction, whose signatures the chain checks: no payment to the executor, no foreign code, and
   only inner calls that the Safe may make, together within the Safe's limits

Everything else is refused, with a stable code and a sentence that says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import ContractName, checksum
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import MalformedBatch, UntrustedDelegatecall, read_safe_calls
from paimon.domain.transaction.signing import SignRequest, UnsignedTransaction
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.policy_tables import MONEY_FUNCTIONS, KeyTable, SafeTable, SignableFunction
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, UnknownCall, to_json_value
from paimon.infrastructure.blockchain.contracts.money_calls import MoneyCall
from paimon.infrastructure.blockchain.contracts.safe import parse_execution


class RefusalCode(StrEnum):
    """Stable codes of the reasons why the signer refuses a request."""

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
    DOMAIN_MISMATCH = "DOMAIN_MISMATCH"
    REQUEST_MISMATCH = "REQUEST_MISMATCH"
    VERDICT_MISMATCH = "VERDICT_MISMATCH"
    REASON_MISMATCH = "REASON_MISMATCH"
    PARTIES_MISMATCH = "PARTIES_MISMATCH"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    UNKNOWN_REQUEST = "UNKNOWN_REQUEST"
    NOT_AWAITING_APPROVAL = "NOT_AWAITING_APPROVAL"
    NONCE_SPENT = "NONCE_SPENT"
    NONCE_TOO_FAR = "NONCE_TOO_FAR"
    KEY_USED_ELSEWHERE = "KEY_USED_ELSEWHERE"
    LEASE_NOT_HELD = "LEASE_NOT_HELD"
    GAS_LIMIT_OF_DAY = "GAS_LIMIT_OF_DAY"
    PLAN_MISSING = "PLAN_MISSING"
    MALFORMED_PLAN = "MALFORMED_PLAN"
    UNKNOWN_PLAN_SIGNER = "UNKNOWN_PLAN_SIGNER"
    PLAN_MISMATCH = "PLAN_MISMATCH"
    NONCE_USED = "NONCE_USED"
    CALL_ALREADY_SIGNED = "CALL_ALREADY_SIGNED"
    SIGNATURE_TOO_OLD = "SIGNATURE_TOO_OLD"
    EXPIRES_TOO_LATE = "EXPIRES_TOO_LATE"
    UNKNOWN_VOTER = "UNKNOWN_VOTER"
    DUPLICATE_VOTER = "DUPLICATE_VOTER"
    VOTER_IS_PARTY = "VOTER_IS_PARTY"
    VOTER_LACKS_ROLE = "VOTER_LACKS_ROLE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    PAYS_EXECUTOR = "PAYS_EXECUTOR"
    DELEGATECALL_NOT_ALLOWED = "DELEGATECALL_NOT_ALLOWED"
    CHECK_UNAVAILABLE = "CHECK_UNAVAILABLE"
    KEY_UNAVAILABLE = "KEY_UNAVAILABLE"


class RequestRefused(Exception):
    """The signer refuses to sign the request."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SelfSend:
    """A self-send that only uses up a nonce."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The payment of a redemption that is due."""

    request_id: int


@dataclass(frozen=True, slots=True)
class DecisionCall:
    """An approval or a rejection on chain; `reason` is empty for an approval, whose call carries none."""

    request_id: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class FundMovement(MoneyCall):
    """A call that moves the fund's money between cash and assets. It leaves the vault only in exchange for an asset."""

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, to_json_value(dict(self.arguments)).values()))})"


@dataclass(frozen=True, slots=True)
class SafeExecution:
    """The execution of a Safe transaction. `movements` are counted for a Safe with limits only."""

    safe: SafeTable
    movements: tuple[FundMovement, ...]
    calls: tuple[Call, ...]
    """Every call that the Safe makes, in its order."""

    def __str__(self) -> str:
        movements = f", moving {', '.join(map(str, self.movements))}" if self.movements else ""
        return f"execTransaction of the {self.safe.name} Safe{movements}"


PermittedCall = SelfSend | Settlement | DecisionCall | FundMovement | SafeExecution

_SETTLEMENTS: Final = frozenset({SignableFunction.SETTLE, SignableFunction.SETTLE_SCHEDULED})
_FUNCTIONS_BY_CONTRACT: Final = {
    ContractName.REDEMPTION_MANAGER: _SETTLEMENTS | {SignableFunction.APPROVE, SignableFunction.REJECT},
    ContractName.ASSET_CONTROLLER: MONEY_FUNCTIONS,
}
"""The functions by contract, because two contracts may have a function of one name."""


def check_request(
    request: SignRequest, policy: SignerPolicy, abis: Mapping[ContractName, ContractAbi]
) -> tuple[KeyTable, PermittedCall]:
    """Return the key and the call, if the policy allows this key to make this call.

    Raises:
        RequestRefused.
    """
    key = policy.key(request.wallet)
    if key is None:
        raise RequestRefused(RefusalCode.UNKNOWN_KEY, f"this signer has no key {checksum(request.wallet)}")
    _require_within_caps(request.transaction, policy)
    return key, _classify_call(request, key, policy, abis)


def _require_within_caps(transaction: UnsignedTransaction, policy: SignerPolicy) -> None:
    if transaction.chain_id != policy.chain_id:
        raise RequestRefused(
            RefusalCode.WRONG_CHAIN, f"the request is for chain {transaction.chain_id}, the policy for {policy.chain_id}"
        )
    if transaction.gas_limit > policy.caps.gas_limit_max:
        raise RequestRefused(
            RefusalCode.CAP_EXCEEDED, f"gas limit {transaction.gas_limit} is above the cap of {policy.caps.gas_limit_max}"
        )
    if transaction.fees.max_fee_wei > policy.caps.fee_wei_max:
        raise RequestRefused(
            RefusalCode.CAP_EXCEEDED,
            f"{transaction.fees.max_fee_wei} wei per gas are above the cap of {policy.caps.fee_wei_max}",
        )
    if transaction.call.value_wei != 0:
        raise RequestRefused(
            RefusalCode.VALUE_NOT_ZERO, f"no key sends value, the request has {transaction.call.value_wei} wei"
        )


def _classify_call(
    request: SignRequest, key: KeyTable, policy: SignerPolicy, abis: Mapping[ContractName, ContractAbi]
) -> PermittedCall:
    call = request.transaction.call
    if call.to == request.wallet and not call.data:
        return SelfSend()
    if (safe := policy.safe(call.to)) is not None:
        return _check_safe_execution(call, key, safe, policy, abis)
    contract = policy.contracts.addresses().names().get(call.to)
    if contract not in _FUNCTIONS_BY_CONTRACT:
        raise RequestRefused(
            RefusalCode.WRONG_CONTRACT, f"{checksum(call.to)} is neither the policy's RedemptionManager nor its AssetController"
        )
    try:
        name, arguments = abis[contract].decode_call(call.data)
    except UnknownCall as error:
        raise RequestRefused(RefusalCode.UNKNOWN_CALL, str(error)) from error
    if name not in key.functions or name not in _FUNCTIONS_BY_CONTRACT[contract]:
        allowed = ", ".join(sorted(key.functions & _FUNCTIONS_BY_CONTRACT[contract]))
        raise RequestRefused(
            RefusalCode.FUNCTION_NOT_ALLOWED, f"key {key.name} may call {allowed or 'nothing'} of the {contract}, not {name}"
        )
    if name in MONEY_FUNCTIONS:
        return FundMovement(RebalancerFunction(name), arguments)
    request_id = int(arguments["requestId"])
    if name in _SETTLEMENTS:
        return Settlement(request_id)
    if name == SignableFunction.REJECT:
        return DecisionCall(request_id, Verdict.REJECT, str(arguments["reason"]))
    return DecisionCall(request_id, Verdict.APPROVE, "")


def _check_safe_execution(
    call: Call, key: KeyTable, safe: SafeTable, policy: SignerPolicy, abis: Mapping[ContractName, ContractAbi]
) -> SafeExecution:
    if SignableFunction.EXECUTE not in key.functions:
        raise RequestRefused(
            RefusalCode.FUNCTION_NOT_ALLOWED, f"key {key.name} may not execute transactions of the {safe.name} Safe"
        )
    try:
        execution = parse_execution(call.data)
        inner = read_safe_calls(execution.call, execution.operation, multi_send=policy.contracts.multi_send)
    except (UnknownCall, MalformedBatch) as error:
        raise RequestRefused(RefusalCode.UNKNOWN_CALL, str(error)) from error
    except UntrustedDelegatecall as error:
        raise RequestRefused(RefusalCode.DELEGATECALL_NOT_ALLOWED, str(error)) from error
    if execution.payments:
        raise RequestRefused(
            RefusalCode.PAYS_EXECUTOR, f"{', '.join(execution.payments)} must be 0 in a transaction that a key executes"
        )
    rejection = Call(safe.address, b"")  # a Safe rejects by a call to itself
    movements = [_check_inner_call(inner_call, safe, policy, abis) for inner_call in inner if inner_call != rejection]
    return SafeExecution(safe, tuple(movement for movement in movements if movement is not None), tuple(inner))


def _check_inner_call(
    call: Call, safe: SafeTable, policy: SignerPolicy, abis: Mapping[ContractName, ContractAbi]
) -> FundMovement | None:
    """Return the movement of a Safe with limits; None for a Safe without."""
    contract = policy.contracts.addresses().names().get(call.to)
    if contract is None:
        raise RequestRefused(
            RefusalCode.WRONG_CONTRACT, f"the {safe.name} Safe would call {checksum(call.to)}, which is no contract of the fund"
        )
    if call.value_wei:
        raise RequestRefused(RefusalCode.VALUE_NOT_ZERO, f"the {safe.name} Safe would send {call.value_wei} wei")
    try:
        name, arguments = abis[contract].decode_call(call.data)
    except UnknownCall as error:
        raise RequestRefused(RefusalCode.UNKNOWN_CALL, str(error)) from error
    if safe.functions is None:
        return None
    if contract is not ContractName.ASSET_CONTROLLER or name not in safe.functions:
        raise RequestRefused(RefusalCode.FUNCTION_NOT_ALLOWED, f"the {safe.name} Safe may not call {name} of the {contract}")
    return FundMovement(RebalancerFunction(name), arguments)
