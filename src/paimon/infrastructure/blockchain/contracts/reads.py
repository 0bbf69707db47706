"""A contract read as a value, and the reader that sends many of them at one block.

What can come back instead of a result:

    read reverts                      CallReverted, or FailedRead in its place (REVERTED)
    address holds no such function    CallReverted, or FailedRead in its place (NO_CODE): the node answers 0x
    result does not fit the ABI       CallReverted, or FailedRead in its place (UNDECODABLE)
    endpoint fails                    RpcUnavailable or RpcError, always raised
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar

from eth_abi.exceptions import DecodingError

from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

BATCH_MAX: Final = 100
"""Calls in one HTTP request; providers refuse far larger batches."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class CallReverted(Exception):
    """A read or a simulation reverted; the message is the contract's own error with its arguments.

    `read` names the function and the contract's address, for a read.
    """

    def __init__(self, message: str, error_name: str | None, *, read: str | None = None) -> None:
        super().__init__(message)
        self.error_name = error_name
        self.read = read

    @property
    def with_read(self) -> str:
        """Return the message behind the read that failed."""
        return str(self) if self.read is None else f"{self.read}: {self}"


class FailureKind(Enum):
    """Why a read has no result."""

    REVERTED = auto()
    NO_CODE = auto()
    UNDECODABLE = auto()


@dataclass(frozen=True, slots=True)
class FailedRead:
    """What stands in the place of a result: the read reverted, or something other than this contract answered."""

    function: str
    explanation: str
    kind: FailureKind
    error_name: str | None = None
    address: Address | None = None

    @property
    def reason(self) -> str:
        match self.kind:
            case FailureKind.REVERTED:
                return f"{self.function} reverted: {self.explanation}"
            case FailureKind.NO_CODE:
                return f"{self.function} of no such contract"
            case FailureKind.UNDECODABLE:
                return f"{self.function} answered {self.explanation}"

    def __str__(self) -> str:
        return f"(no answer: {self.reason})"

    def as_error(self) -> CallReverted:
        message = self.explanation if self.kind is FailureKind.REVERTED else self.reason
        at = "" if self.address is None else f" at {checksum(self.address)}"
        return CallReverted(message, self.error_name, read=f"{self.function}{at}")


@dataclass(frozen=True, slots=True)
class ContractRead(Generic[T_co]):
    """One function of one contract with its arguments, and how its decoded result becomes a typed value."""

    address: Address
    abi: ContractAbi
    function: str
    args: tuple[Any, ...]
    convert: Callable[[Any], T_co]

    def build_request(self, block: Hash32) -> Request:
        """Build the request, addressed by the block's hash so that a reorganisation cannot mix two chains."""
        call = {"to": checksum(self.address), "data": hex0x(self.abi.encode_call(self.function, *self.args))}
        return ("eth_call", [call, {"blockHash": hex0x(block)}])

    def decode(self, answer: Any) -> "T_co | FailedRead":
        """Decode the answer to this read's request, an error answer included.

        Raises:
            RpcError: the answer is a failure of the node, which says nothing of the contract.
        """
        if isinstance(answer, RpcError):
            if not answer.is_revert:
                raise answer
            data = answer.revert_data
            return FailedRead(
                self.function,
                self.abi.explain_revert(data),
                FailureKind.REVERTED,
                error_name=self.abi.error_name(data),
                address=self.address,
            )
        try:
            return self.convert(self.abi.decode_result(self.function, bytes.fromhex(answer[2:])))
        except (DecodingError, OverflowError, UnicodeDecodeError):
            kind = FailureKind.NO_CODE if answer == "0x" else FailureKind.UNDECODABLE
            return FailedRead(self.function, answer[:66], kind, address=self.address)


class PendingRead(Generic[T]):
    """The place of one read's result in a batch, empty until the batch has run."""

    def __init__(self, read: ContractRead[T], *, may_fail: bool) -> None:
        self.read = read
        self.may_fail = may_fail
        self._answer: list[T | FailedRead] = []

    def store(self, answer: T | FailedRead) -> None:
        self._answer = [answer]

    @property
    def answer(self) -> T | FailedRead:
        """The result, or the failure where the read may fail."""
        return self._answer[0]

    @property
    def result(self) -> T:
        """The result. Raises CallReverted where the read failed."""
        if isinstance(answer := self.answer, FailedRead):
            raise answer.as_error()
        return answer


class ReadBatch:
    """Reads of several result types that are sent together at one block."""

    def __init__(self) -> None:
        self.pending: list[PendingRead[Any]] = []

    def add(self, read: ContractRead[T]) -> PendingRead[T]:
        """Add a read that must succeed."""
        self.pending.append(pending := PendingRead(read, may_fail=False))
        return pending

    def try_add(self, read: ContractRead[T]) -> PendingRead[T]:
        """Add a read whose failure stays in its place."""
        self.pending.append(pending := PendingRead(read, may_fail=True))
        return pending


class ContractReader:
    """Send contract reads, all of one call at one block."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc

    async def read(self, reads: Sequence[ContractRead[T]], *, at: BlockStamp) -> list[T]:
        """Return the results in order.

        Raises:
            CallReverted, RpcUnavailable, RpcError.
        """
        batch = ReadBatch()
        pending = [batch.add(read) for read in reads]
        await self.run(batch, at=at)
        return [pending_read.result for pending_read in pending]

    async def try_read(self, reads: Sequence[ContractRead[T]], *, at: BlockStamp) -> list[T | FailedRead]:
        """Return the results in order, a `FailedRead` for each that failed: for addresses that only the records name.

        Raises:
            RpcUnavailable, RpcError: the node's failures, which say nothing of the contracts.
        """
        batch = ReadBatch()
        pending = [batch.try_add(read) for read in reads]
        await self.run(batch, at=at)
        return [pending_read.answer for pending_read in pending]

    async def read_one(self, read: ContractRead[T], *, at: BlockStamp) -> T:
        """Return one result. Raises as `read`."""
        (result,) = await self.read([read], at=at)
        return result

    async def run(self, batch: ReadBatch, *, at: BlockStamp) -> None:
        """Fill every place of the batch.

        Raises:
            CallReverted: a read that must succeed failed.
            RpcUnavailable, RpcError.
        """
        rpc = self.rpc.state_at(at.number)
        for start in range(0, len(batch.pending), BATCH_MAX):
            chunk = batch.pending[start : start + BATCH_MAX]
            answers = await rpc.try_batch([pending.read.build_request(at.hash) for pending in chunk])
            for pending, answer in zip(chunk, answers, strict=True):
                decoded = pending.read.decode(answer)
                if isinstance(decoded, FailedRead) and not pending.may_fail:
                    raise decoded.as_error()
                pending.store(decoded)
