"""Ask the node for what sending needs, one round trip each: the outcome and cost of a call, receipts, and a broadcast."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, checksum, hex0x
from paimon.domain.transaction.attempt import AttemptReceipt
from paimon.domain.transaction.broadcast_result import BroadcastResult, classify_broadcast_error
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import GasFees, GasFeeType, market_fees
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import has_no_effect
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.contracts.safe import describe_revert
from paimon.infrastructure.blockchain.finality import block_stamp
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

_NONCES_MAX: Final = 8
"""Nonces in one request: with eight attempts each, 73 calls. Providers refuse far larger batches."""

_CALLED_BY_THE_FUND: Final = ("SwapHelper", "OracleAdapter", "AssetScheduler")
"""ABIs of contracts that the fund's contracts call, beside those that it names."""


def explain_revert(contracts: FundContracts, data: bytes | None) -> CallReverted:
    """Describe the revert. A contract passes on errors of those that it calls, so that every ABI is tried."""
    for abi in (*contracts.abis.values(), *map(load_abi, _CALLED_BY_THE_FUND)):
        if (name := abi.error_name(data)) is not None:
            return CallReverted(abi.explain_revert(data), name)
    return CallReverted(describe_revert(data), None)


def _call_object(wallet: Address, call: Call) -> dict[str, str]:
    return {"from": checksum(wallet), "to": checksum(call.to), "data": hex0x(call.data), "value": hex(call.value_wei)}


@dataclass(frozen=True, slots=True)
class CallQuote:
    """A call that would pass now, with its cost and the state of the wallet that would send it."""

    gas_estimate: int
    fees: GasFees | None
    balance_wei: int
    latest_nonce: int
    final_nonce: int


def _fee_requests(kind: GasFeeType) -> list[Request]:
    if kind is GasFeeType.LEGACY:
        return [("eth_gasPrice", [])]
    return [("eth_maxPriorityFeePerGas", []), ("eth_getBlockByNumber", ["latest", False])]


def _fees(kind: GasFeeType, answers: Sequence[Any], cap_wei: int) -> GasFees | None:
    if kind is GasFeeType.LEGACY:
        price = int(answers[0], 16)
        return GasFees(price, price) if price <= cap_wei else None
    base_fee = int(answers[1].get("baseFeePerGas", "0x0"), 16)
    return market_fees(base_fee, int(answers[0], 16), max_fee_wei=cap_wei)


def _count_requests(wallet: Address, final: BlockStamp) -> list[Request]:
    return [
        ("eth_getTransactionCount", [checksum(wallet), "latest"]),
        ("eth_getTransactionCount", [checksum(wallet), hex(final.number)]),
    ]


def quote_requests(wallet: Address, call: Call, *, final: BlockStamp, gas_fee_type: GasFeeType) -> list[Request]:
    """Build one batch that simulates and prices the call at the latest block: one node answers from one state."""
    call_object = _call_object(wallet, call)
    return [
        ("eth_call", [call_object, "latest"]),
        ("eth_estimateGas", [call_object]),
        ("eth_getBalance", [checksum(wallet), "latest"]),
        *_count_requests(wallet, final),
        *_fee_requests(gas_fee_type),
    ]


def read_quote(
    contracts: FundContracts, call: Call, answers: Sequence[Any], *, gas_fee_type: GasFeeType, cap_wei: int
) -> CallQuote:
    """Read the answers to `quote_requests`, with errors in their places. `fees` is None when the price is above the cap.

    Raises:
        CallReverted: the call would not pass, with the reason of the contract or of the node; or it would do nothing.
        RpcError: the node failed at a request that is not about the call.
    """
    if (error := next((answer for answer in answers if isinstance(answer, RpcError)), None)) is not None:
        if error.method not in ("eth_call", "eth_estimateGas"):
            raise error
        # An error that is no revert ("gas required exceeds allowance") is about this call too, so that its intent waits.
        raise explain_revert(contracts, error.revert_data) if error.is_revert else CallReverted(error.message, None)
    result, gas, balance, latest, final_count, *price = answers
    if has_no_effect(call, bytes.fromhex(result[2:]), contracts.abis[ContractName.ASSET_CONTROLLER]):
        raise CallReverted("it would succeed and do nothing", None)
    return CallQuote(
        gas_estimate=int(gas, 16),
        fees=_fees(gas_fee_type, price, cap_wei),
        balance_wei=int(balance, 16),
        latest_nonce=int(latest, 16),
        final_nonce=int(final_count, 16),
    )


@dataclass(frozen=True, slots=True)
class FundsQuote:
    """The gas price, the wallet's balance, and the next nonce to be mined: what a replacement depends on."""

    fees: GasFees | None
    balance_wei: int
    latest_nonce: int


async def read_funds_quote(rpc: Rpc, wallet: Address, *, gas_fee_type: GasFeeType, cap_wei: int) -> FundsQuote:
    balance, latest, *price = await rpc.batch(
        [
            ("eth_getBalance", [checksum(wallet), "latest"]),
            ("eth_getTransactionCount", [checksum(wallet), "latest"]),
            *_fee_requests(gas_fee_type),
        ]
    )
    return FundsQuote(_fees(gas_fee_type, price, cap_wei), int(balance, 16), int(latest, 16))


@dataclass(frozen=True, slots=True)
class AccountState:
    """How far the wallet's nonces are used, and its balance."""

    latest_nonce: int
    final_nonce: int
    balance_wei: int


async def read_account_state(rpc: Rpc, wallet: Address, *, final: BlockStamp) -> AccountState:
    balance, latest, final_count = await rpc.batch(
        [("eth_getBalance", [checksum(wallet), "latest"]), *_count_requests(wallet, final)]
    )
    return AccountState(int(latest, 16), int(final_count, 16), int(balance, 16))


@dataclass(frozen=True, slots=True)
class NonceReceipts:
    """One node's answers about one nonce: the receipt of the mined hash, and whether it knows the newest hash."""

    receipt: AttemptReceipt | None
    final_nonce: int
    knows_newest: bool


async def read_nonce_receipts(
    rpc: Rpc, wallet: Address, nonces: Sequence[Sequence[Hash32]], *, final: BlockStamp
) -> list[NonceReceipts | RpcError]:
    """Look up every hash of each nonce, oldest first. An error about one nonce stands in its place.

    One batch holds all hashes of a nonce and the count, because answers of different nodes must not be mixed there.
    """
    receipts: list[NonceReceipts | RpcError] = []
    for start in range(0, len(nonces), _NONCES_MAX):
        chunk = nonces[start : start + _NONCES_MAX]
        requests = [request for hashes in chunk for request in _hash_requests(hashes)]
        final_nonce, *answers = await rpc.try_batch([_count_requests(wallet, final)[1], *requests])
        if isinstance(final_nonce, RpcError):
            raise final_nonce
        rest = iter(answers)
        receipts += [_nonce_receipts(list(islice(rest, len(hashes) + 1)), int(final_nonce, 16)) for hashes in chunk]
    return receipts


def _hash_requests(hashes: Sequence[Hash32]) -> list[Request]:
    receipts = [("eth_getTransactionReceipt", [hex0x(hash_)]) for hash_ in hashes]
    return [*receipts, ("eth_getTransactionByHash", [hex0x(hashes[-1])])]


def _nonce_receipts(answers: Sequence[Any], final_nonce: int) -> NonceReceipts | RpcError:
    if (error := next((answer for answer in answers if isinstance(answer, RpcError)), None)) is not None:
        return error
    *found, newest = answers
    receipt = next((_receipt(answer) for answer in found if answer is not None), None)
    return NonceReceipts(receipt, final_nonce, newest is not None)


def _receipt(answer: dict[str, Any]) -> AttemptReceipt:
    return AttemptReceipt(
        hash=Hash32(bytes.fromhex(answer["transactionHash"][2:])),
        block_number=int(answer["blockNumber"], 16),
        block_hash=Hash32(bytes.fromhex(answer["blockHash"][2:])),
        succeeded=int(answer["status"], 16) == 1,
        gas_used=int(answer["gasUsed"], 16),
    )


async def canonical_blocks(rpc: Rpc, numbers: Iterable[int]) -> dict[int, BlockStamp | RpcError]:
    """Read the chain's own blocks at these heights. An error stands in place of a block that the node does not show."""
    heights = sorted(set(numbers))
    answers = await rpc.try_batch([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
    return {height: _block(height, answer) for height, answer in zip(heights, answers, strict=True)}


def _block(number: int, answer: Any) -> BlockStamp | RpcError:
    if answer is None:
        return RpcError("eth_getBlockByNumber", 0, f"the node has no block {number}")
    return answer if isinstance(answer, RpcError) else block_stamp(answer)


async def explain_failure(
    contracts: FundContracts, wallet: Address, call: Call, *, block_hash: Hash32, out_of_gas: bool
) -> CallReverted:
    """Find out why a mined transaction reverted: make its call again on the state of its block."""
    try:
        await contracts.rpc.call("eth_call", [_call_object(wallet, call), {"blockHash": hex0x(block_hash)}])
    except RpcError as error:
        if error.is_revert:
            return explain_revert(contracts, error.revert_data)
        return CallReverted(f"reverted; the node does not show the reason: {error.message}", None)
    if out_of_gas:
        return CallReverted("ran out of gas at its limit", None)
    return CallReverted("reverted where it was mined, though the same call passes at the end of that block", None)


async def broadcast(rpc: Rpc, raw: bytes, *, attempts_max: int | None = None) -> tuple[BroadcastResult, str]:
    """Hand the bytes to the node. Return the meaning and the text of its answer.

    Raises:
        RpcUnavailable: the node did not answer. The bytes may have arrived nevertheless.
    """
    try:
        await rpc.call("eth_sendRawTransaction", [hex0x(raw)], attempts_max=attempts_max)
    except RpcError as error:
        return classify_broadcast_error(error.code, error.message), error.message
    return BroadcastResult.ACCEPTED, "accepted"


async def broadcast_everywhere(rpc: Rpc, raw: bytes) -> tuple[BroadcastResult, str]:
    """Hand the bytes to every write endpoint: one of them may answer the hash and keep the bytes to itself.

    Return the answer of an endpoint that holds the bytes, else one that a later broadcast may improve on, else the first.

    Raises:
        RpcUnavailable: no endpoint answered. The bytes may have arrived nevertheless.
    """
    writers = rpc.writers() or [rpc]
    # One try each where there are several: the drive repeats what none took, and one that is down delays the others once.
    attempts_max = 1 if len(writers) > 1 else None
    answers: list[tuple[BroadcastResult, str]] = []
    failure: RpcUnavailable | None = None
    for writer in writers:
        try:
            answers.append(await broadcast(writer, raw, attempts_max=attempts_max))
        except RpcUnavailable as error:
            failure = failure or error
    if failure is not None and not answers:
        raise failure
    return min(answers, key=lambda answer: (not answer[0].is_acknowledged, answer[0].needs_operator))
