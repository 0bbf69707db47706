"""Reads of a Safe, each at one named block, and the call that executes its transaction.

Whether an owner's signature counts is asked of the Safe itself (`checkNSignatures`): it looks up the owner, recovers the
key, or asks the owner's contract in its own name, as it will when it executes.
"""

from dataclasses import dataclass
from typing import Any, Final

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, Hash32, checksum, hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_proposal import SafeExecutionEvent, SafeInfo
from paimon.domain.transaction.safe_transaction import (
    SAFE_VERSION,
    SafeOperation,
    OwnerSignature,
    SafeScope,
    SafeTransaction,
    safe_transaction_hashes,
    pack_signatures,
)
from paimon.errors import StartupError, Unavailable
from paimon.infrastructure.blockchain.abi.contract_abi import UnknownCall, load_abi
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.log_ranges import fetch_in_ranges
from paimon.infrastructure.blockchain.rpc.pool import Rpc

_ABI: Final = load_abi("Safe")
_OUTCOME_TOPICS: Final = {
    name: next(topic for topic, event in _ABI.events_by_topic.items() if event.name == name)
    for name in ("ExecutionSuccess", "ExecutionFailure")
}
_ERRORS: Final = {
    "GS013": "the inner call fails",
    "GS020": "signatures are missing",
    "GS024": "an owner's contract does not accept its signature",
    "GS025": "an owner has not approved this hash on chain",
    "GS026": "a signature is not an owner's over this transaction at this nonce, or not in order",
}
"""What a Safe says when it refuses. Source: Safe 1.4.1, docs/error_codes.md."""


class UnexpectedSafe(Unavailable, StartupError):
    """The address holds no Safe of the version this house knows."""


def build_execution_call(safe: Address, transaction: SafeTransaction, signatures: bytes) -> Call:
    """`execTransaction`, for anyone to send: the signatures are what permits it."""
    call, no_address = transaction.call, checksum(ZERO_ADDRESS)
    arguments = (
        checksum(call.to),
        call.value_wei,
        call.data,
        transaction.operation.value,
        0,
        0,
        0,
        no_address,
        no_address,
        signatures,
    )
    return Call(safe, _ABI.encode_call("execTransaction", *arguments))


@dataclass(frozen=True, slots=True)
class ExecutionCall:
    """What an `execTransaction` asks for. `payments` are those of its fields by which a Safe pays, or limits gas: none is set
    in ours."""

    call: Call
    operation: SafeOperation
    payments: tuple[str, ...]


_PAYMENTS: Final = ("safeTxGas", "baseGas", "gasPrice", "gasToken", "refundReceiver")


def parse_execution(data: bytes) -> ExecutionCall:
    """Raises UnknownCall: it is no `execTransaction`, or one that no Safe would run."""
    function, arguments = _ABI.decode_call(data)
    if function != "execTransaction":
        raise UnknownCall(f"of a Safe only execTransaction is called, not {function}")
    if arguments["operation"] not in {each.value for each in SafeOperation}:
        raise UnknownCall(f"operation {arguments['operation']} is neither a call nor a delegatecall")
    return ExecutionCall(
        call=Call(Address(arguments["to"]), arguments["data"], RawAmount(arguments["value"])),
        operation=SafeOperation(arguments["operation"]),
        payments=tuple(name for name in _PAYMENTS if arguments[name] not in (0, ZERO_ADDRESS)),
    )


class SafeContract:
    """One Safe."""

    def __init__(self, rpc: Rpc, scope: SafeScope) -> None:
        self.scope = scope
        self._rpc = rpc

    @property
    def address(self) -> Address:
        return self.scope.safe

    def _request(self, at: BlockStamp, function: str, *args: Any) -> Request:
        call = {"to": checksum(self.address), "data": hex0x(_ABI.encode_call(function, *args))}
        return ("eth_call", [call, {"blockHash": hex0x(at.hash)}])

    async def view(self, *, at: BlockStamp) -> SafeInfo:
        """Owners, threshold and nonce at this block.

        Raises:
            UnexpectedSafe, RpcUnavailable, RpcError.
        """
        functions = ("VERSION", "getOwners", "getThreshold", "nonce")
        answers = await self._rpc.state_at(at.number).try_batch([self._request(at, each) for each in functions])
        if (failed := next((each for each in answers if isinstance(each, RpcError)), None)) is not None:
            if not failed.is_revert:
                raise failed
            raise UnexpectedSafe(f"{checksum(self.address)} is no Safe at block {at}")
        if "0x" in answers:
            raise UnexpectedSafe(f"there is no contract at {checksum(self.address)} at block {at}")
        version, owners, threshold, nonce = (
            _ABI.decode_result(function, bytes.fromhex(answer[2:])) for function, answer in zip(functions, answers, strict=True)
        )
        if version != SAFE_VERSION:
            raise UnexpectedSafe(f"the Safe {checksum(self.address)} is version {version}; this house knows {SAFE_VERSION}")
        return SafeInfo(tuple(Address(each) for each in owners), int(threshold), int(nonce))

    async def transaction_hash(self, transaction: SafeTransaction, *, at: BlockStamp) -> Hash32:
        """What the Safe itself computes."""
        call, no_address = transaction.call, checksum(ZERO_ADDRESS)
        fields = (checksum(call.to), call.value_wei, call.data, transaction.operation.value)
        method, params = self._request(at, "getTransactionHash", *fields, 0, 0, 0, no_address, no_address, transaction.nonce)
        return Hash32(bytes.fromhex((await self._rpc.state_at(at.number).call(method, params))[2:]))

    async def signature_rejection_reason(
        self, transaction: SafeTransaction, signature: OwnerSignature, *, at: BlockStamp
    ) -> str | None:
        """Why this one signature would not count, in words, or None when it would."""
        hashes = safe_transaction_hashes(transaction, self.scope)
        packed = pack_signatures([signature])
        method, params = self._request(at, "checkNSignatures", hashes.transaction, hashes.preimage, packed, 1)
        try:
            await self._rpc.state_at(at.number).call(method, params)
        except RpcError as error:
            if not error.is_revert:
                raise
            return describe_revert(error.revert_data)
        return None

    async def has_code(self, account: Address, *, at: BlockStamp) -> bool:
        rpc = self._rpc.state_at(at.number)
        return await rpc.call("eth_getCode", [checksum(account), hex(at.number)]) not in ("0x", None)

    async def executions(self, first: int, last: int) -> list[SafeExecutionEvent]:
        """What the Safe executed in these blocks, in order."""
        log_filter = {
            "address": checksum(self.address),
            "topics": [[hex0x(each) for each in _OUTCOME_TOPICS.values()]],
        }
        rpc = self._rpc.at_height(last)

        async def fetch(first: int, last: int) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = await rpc.call(
                "eth_getLogs", [log_filter | {"fromBlock": hex(first), "toBlock": hex(last)}]
            )
            return found

        logs = await fetch_in_ranges(rpc, first, last, fetch)
        logs.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        return [
            SafeExecutionEvent(
                hash=Hash32(bytes.fromhex(log["topics"][1][2:])),
                succeeded=bytes.fromhex(log["topics"][0][2:]) == _OUTCOME_TOPICS["ExecutionSuccess"],
                tx_hash=Hash32(bytes.fromhex(log["transactionHash"][2:])),
            )
            for log in logs
        ]


def describe_revert(data: bytes | None) -> str:
    """A revert that is no custom error: a Safe's code with what it means, anything else as it says."""
    explanation = _ABI.explain_revert(data)
    code = explanation.removeprefix("reverted: ")
    return f"{code}: {_ERRORS[code]}" if code in _ERRORS else explanation
