"""Reads of a Safe, each at one named block, and the call that executes its transaction.

The Safe itself decides whether an owner's signature counts (`checkNSignatures`): it looks up the owner and recovers the
key, or calls the owner's contract in its own name, exactly as it does when it executes.
"""

from dataclasses import dataclass
from typing import Any, Final

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, Hash32, checksum, hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_proposal import SafeExecutionEvent, SafeInfo
from paimon.domain.transaction.safe_transaction import (
    SAFE_VERSION,
    OwnerSignature,
    SafeOperation,
    SafeScope,
    SafeTransaction,
    pack_signatures,
    safe_transaction_hashes,
)
from paimon.errors import StartupError, Unavailable
from paimon.infrastructure.blockchain.abi.contract_abi import UnknownCall, load_abi
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import (
    CallReverted,
    ContractRead,
    ContractReader,
    FailedRead,
    FailureKind,
    ReadBatch,
)
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
"""Meaning of the codes with which a Safe refuses. Source: Safe 1.4.1, docs/error_codes.md."""


class UnexpectedSafe(Unavailable, StartupError):
    """The address holds no Safe of the version that this system supports."""


def build_execution_call(safe: Address, transaction: SafeTransaction, signatures: bytes) -> Call:
    """Build the `execTransaction` call. Any account may send it: the signatures authorise it."""
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
    """The content of an `execTransaction` call.

    `payments` names the fields that are set among those by which a Safe pays or limits gas. Our own calls set none.
    """

    call: Call
    operation: SafeOperation
    payments: tuple[str, ...]


_PAYMENTS: Final = ("safeTxGas", "baseGas", "gasPrice", "gasToken", "refundReceiver")


def parse_execution(data: bytes) -> ExecutionCall:
    """Parse an `execTransaction` call. Raises UnknownCall for any other call, and for one that no Safe would run."""
    function, arguments = _ABI.decode_call(data)
    if function != "execTransaction":
        raise UnknownCall(f"only execTransaction of a Safe is called, not {function}")
    if arguments["operation"] not in {operation.value for operation in SafeOperation}:
        raise UnknownCall(f"operation {arguments['operation']} is neither a call nor a delegatecall")
    return ExecutionCall(
        call=Call(Address(arguments["to"]), arguments["data"], RawAmount(arguments["value"])),
        operation=SafeOperation(arguments["operation"]),
        payments=tuple(name for name in _PAYMENTS if arguments[name] not in (0, ZERO_ADDRESS)),
    )


class Safe(Contract):
    """Reads of one Safe."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, _ABI)

    def version(self) -> ContractRead[str]:
        return self._read("VERSION", convert=str)

    def owners(self) -> ContractRead[tuple[Address, ...]]:
        return self._read("getOwners", convert=_addresses)

    def threshold(self) -> ContractRead[int]:
        return self._read("getThreshold", convert=int)

    def nonce(self) -> ContractRead[int]:
        return self._read("nonce", convert=int)

    def transaction_hash(self, transaction: SafeTransaction) -> ContractRead[Hash32]:
        """The hash that owners sign, as the Safe itself computes it."""
        call, no_address = transaction.call, checksum(ZERO_ADDRESS)
        fields = (checksum(call.to), call.value_wei, call.data, transaction.operation.value)
        return self._read("getTransactionHash", *fields, 0, 0, 0, no_address, no_address, transaction.nonce, convert=Hash32)

    def check_signatures(
        self, transaction_hash: Hash32, preimage: bytes, signatures: bytes, *, required: int
    ) -> ContractRead[None]:
        """Check that enough of the signatures count. The read reverts with a Safe's code where they do not."""
        return self._read("checkNSignatures", transaction_hash, preimage, signatures, required, convert=lambda _: None)


def _addresses(result: list[bytes]) -> tuple[Address, ...]:
    return tuple(Address(address) for address in result)


class SafeContract(ContractReader):
    """One Safe with the operations that its proposals need."""

    def __init__(self, rpc: Rpc, scope: SafeScope) -> None:
        super().__init__(rpc)
        self.scope = scope
        self._safe = Safe(scope.safe)

    @property
    def address(self) -> Address:
        return self.scope.safe

    async def view(self, *, at: BlockStamp) -> SafeInfo:
        """Read owners, threshold and nonce at this block.

        Raises:
            UnexpectedSafe, RpcUnavailable, RpcError.
        """
        batch = ReadBatch()
        version, owners = batch.try_add(self._safe.version()), batch.try_add(self._safe.owners())
        threshold, nonce = batch.try_add(self._safe.threshold()), batch.try_add(self._safe.nonce())
        await self.run(batch, at=at)
        failures = [pending.answer for pending in batch.pending if isinstance(pending.answer, FailedRead)]
        if any(failed.kind is FailureKind.NO_CODE for failed in failures):
            raise UnexpectedSafe(f"there is no contract at {checksum(self.address)} at block {at}")
        if failures:
            raise UnexpectedSafe(f"{checksum(self.address)} is no Safe at block {at}")
        if version.result != SAFE_VERSION:
            raise UnexpectedSafe(
                f"the Safe {checksum(self.address)} is version {version.result}; this system supports {SAFE_VERSION}"
            )
        return SafeInfo(owners.result, threshold.result, nonce.result)

    async def transaction_hash(self, transaction: SafeTransaction, *, at: BlockStamp) -> Hash32:
        """Read the hash that the Safe itself computes for this transaction.

        Raises:
            UnexpectedSafe, RpcUnavailable, RpcError.
        """
        try:
            return await self.read_one(self._safe.transaction_hash(transaction), at=at)
        except CallReverted as error:
            raise UnexpectedSafe(f"{checksum(self.address)} is no Safe at block {at}: {error}") from error

    async def signature_rejection_reason(
        self, transaction: SafeTransaction, signature: OwnerSignature, *, at: BlockStamp
    ) -> str | None:
        """Return why this one signature would not count, or None when it would."""
        hashes = safe_transaction_hashes(transaction, self.scope)
        packed = pack_signatures([signature])
        read = self._safe.check_signatures(hashes.transaction, hashes.preimage, packed, required=1)
        (answer,) = await self.try_read([read], at=at)
        return _describe(answer.explanation) if isinstance(answer, FailedRead) else None

    async def has_code(self, account: Address, *, at: BlockStamp) -> bool:
        rpc = self.rpc.state_at(at.number)
        return await rpc.call("eth_getCode", [checksum(account), hex(at.number)]) not in ("0x", None)

    async def read_executions(self, first: int, last: int) -> list[SafeExecutionEvent]:
        """List what the Safe executed in these blocks, oldest first."""
        log_filter = {
            "address": checksum(self.address),
            "topics": [[hex0x(topic) for topic in _OUTCOME_TOPICS.values()]],
        }
        rpc = self.rpc.at_height(last)

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
    """Describe a revert that is no custom error: a Safe's code with its meaning, any other text unchanged."""
    return _describe(_ABI.explain_revert(data))


def _describe(explanation: str) -> str:
    code = explanation.removeprefix("reverted: ")
    return f"{code}: {_ERRORS[code]}" if code in _ERRORS else explanation
