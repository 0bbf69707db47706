"""What sending asks the node, a round trip each: what a call would do and cost, what became of hashes, and a broadcast."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paimon.domain.chain import Address, BlockStamp, ContractName, Hash32, checksum, hex0x
from paimon.domain.node_answer import NodeAnswer, classify_answer
from paimon.domain.redemption import OnChainStatus
from paimon.domain.signing import FeeKind, Fees, market_fees
from paimon.domain.transaction import Call, Effect, IntentKind, effect_of
from paimon.infrastructure.blockchain.contracts import CallReverted, FundContracts
from paimon.infrastructure.blockchain.finality import block_stamp
from paimon.infrastructure.blockchain.movements import moves_nothing
from paimon.infrastructure.blockchain.rpc import Request, Rpc, RpcError
from paimon.infrastructure.blockchain.safe import in_words


def explain_revert(contracts: FundContracts, data: bytes | None) -> CallReverted:
    """The revert in words. A settlement passes on errors of the vault and the controller, so every ABI is asked."""
    for abi in contracts.abis.values():
        if (name := abi.error_name(data)) is not None:
            return CallReverted(abi.explain_revert(data), name)
    return CallReverted(in_words(data), None)


def _call_object(wallet: Address, call: Call) -> dict[str, str]:
    return {"from": checksum(wallet), "to": checksum(call.to), "data": hex0x(call.data), "value": hex(call.value_wei)}


async def read_effect(contracts: FundContracts, kind: IntentKind, request_id: int, *, at: BlockStamp) -> tuple[Effect, str]:
    """How the intent's effect stands at this block, and the request's state in words.

    Raises:
        CallReverted: the request does not exist at this block.
    """
    number = (await contracts.redemption_request(request_id, at=at))["status"]
    if number not in {each.value for each in OnChainStatus}:
        # A later deployment's state: nothing is known to be done, and the simulation tells whether the call passes.
        return Effect.DUE, f"in state {number}, which this version does not know,"
    status = OnChainStatus(number)
    return effect_of(kind, status), status.name


@dataclass(frozen=True, slots=True)
class Quote:
    """What the node says about a call that would pass now, and about the wallet that would send it."""

    gas_estimate: int
    fees: Fees | None
    balance_wei: int
    used_at_latest: int
    used_at_final: int


def _fee_requests(kind: FeeKind) -> list[Request]:
    if kind is FeeKind.LEGACY:
        return [("eth_gasPrice", [])]
    return [("eth_maxPriorityFeePerGas", []), ("eth_getBlockByNumber", ["latest", False])]


def _fees(kind: FeeKind, answers: Sequence[Any], cap_wei: int) -> Fees | None:
    if kind is FeeKind.LEGACY:
        price = int(answers[0], 16)
        return Fees(price, price) if price <= cap_wei else None
    base_fee = int(answers[1].get("baseFeePerGas", "0x0"), 16)
    return market_fees(base_fee, int(answers[0], 16), max_fee_wei=cap_wei)


def _count_requests(wallet: Address, final: BlockStamp) -> list[Request]:
    return [
        ("eth_getTransactionCount", [checksum(wallet), "latest"]),
        ("eth_getTransactionCount", [checksum(wallet), hex(final.number)]),
    ]


async def quote(
    contracts: FundContracts, wallet: Address, call: Call, *, final: BlockStamp, fee_kind: FeeKind, cap_wei: int
) -> Quote:
    """Simulate and price the call at the latest block, in one request, so that one node answers from one state.

    `fees` is None when the present price is above the cap.

    Raises:
        CallReverted: the call would not pass, with the contract's reason in words, or the node's; or it would do nothing.
    """
    what = _call_object(wallet, call)
    requests: list[Request] = [
        ("eth_call", [what, "latest"]),
        ("eth_estimateGas", [what]),
        ("eth_getBalance", [checksum(wallet), "latest"]),
        *_count_requests(wallet, final),
        *_fee_requests(fee_kind),
    ]
    try:
        result, gas, balance, latest, settled, *price = await contracts.rpc.batch(requests)
    except RpcError as error:
        if error.method not in ("eth_call", "eth_estimateGas"):
            raise
        # The node's own words where it is no revert ("gas required exceeds allowance"): about this call, so this intent waits.
        reverted = explain_revert(contracts, error.revert_data) if error.is_revert else CallReverted(error.message, None)
        raise reverted from error
    if moves_nothing(call, bytes.fromhex(result[2:]), contracts.abis[ContractName.ASSET_CONTROLLER]):
        raise CallReverted("it would succeed and do nothing", None)
    return Quote(
        gas_estimate=int(gas, 16),
        fees=_fees(fee_kind, price, cap_wei),
        balance_wei=int(balance, 16),
        used_at_latest=int(latest, 16),
        used_at_final=int(settled, 16),
    )


@dataclass(frozen=True, slots=True)
class Purse:
    """What a replacement must know: the market, the wallet's money, and whether the nonce is the next to be mined."""

    fees: Fees | None
    balance_wei: int
    used_at_latest: int


async def read_purse(rpc: Rpc, wallet: Address, *, fee_kind: FeeKind, cap_wei: int) -> Purse:
    balance, latest, *price = await rpc.batch(
        [
            ("eth_getBalance", [checksum(wallet), "latest"]),
            ("eth_getTransactionCount", [checksum(wallet), "latest"]),
            *_fee_requests(fee_kind),
        ]
    )
    return Purse(_fees(fee_kind, price, cap_wei), int(balance, 16), int(latest, 16))


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the wallet's nonces are used, and what it has."""

    used_at_latest: int
    used_at_final: int
    balance_wei: int


async def read_counts(rpc: Rpc, wallet: Address, *, final: BlockStamp) -> Counts:
    balance, latest, settled = await rpc.batch(
        [("eth_getBalance", [checksum(wallet), "latest"]), *_count_requests(wallet, final)]
    )
    return Counts(int(latest, 16), int(settled, 16), int(balance, 16))


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where and how a transaction was mined."""

    hash: Hash32
    block_number: int
    block_hash: Hash32
    succeeded: bool
    gas_used: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """All answers about one nonce from one node: the receipt of whichever hash was mined, and whether it knows the last."""

    receipt: Receipt | None
    used_at_final: int
    knows_newest: bool


async def sight(rpc: Rpc, wallet: Address, hashes: Sequence[Hash32], *, final: BlockStamp) -> Sighting:
    """Look up every hash of a nonce, oldest first, in one request: answers of different nodes must not be mixed here."""
    *found, newest, used_at_final = await rpc.batch(
        [
            *(("eth_getTransactionReceipt", [hex0x(each)]) for each in hashes),
            ("eth_getTransactionByHash", [hex0x(hashes[-1])]),
            _count_requests(wallet, final)[1],
        ]
    )
    receipt = next((_receipt(each) for each in found if each is not None), None)
    return Sighting(receipt, int(used_at_final, 16), newest is not None)


def _receipt(answer: dict[str, Any]) -> Receipt:
    return Receipt(
        hash=Hash32(bytes.fromhex(answer["transactionHash"][2:])),
        block_number=int(answer["blockNumber"], 16),
        block_hash=Hash32(bytes.fromhex(answer["blockHash"][2:])),
        succeeded=int(answer["status"], 16) == 1,
        gas_used=int(answer["gasUsed"], 16),
    )


async def canonical_block(rpc: Rpc, receipt: Receipt) -> BlockStamp | None:
    """The receipt's block, if it is the chain's block at that height."""
    header = await rpc.call("eth_getBlockByNumber", [hex(receipt.block_number), False])
    if header is None or (block := block_stamp(header)).hash != receipt.block_hash:
        return None
    return block


async def explain_failure(
    contracts: FundContracts, wallet: Address, call: Call, receipt: Receipt, gas_limit: int
) -> CallReverted:
    """Why a mined transaction reverted: the same call again on the state of its block."""
    try:
        await contracts.rpc.call("eth_call", [_call_object(wallet, call), {"blockHash": hex0x(receipt.block_hash)}])
    except RpcError as error:
        if error.is_revert:
            return explain_revert(contracts, error.revert_data)
        return CallReverted(f"reverted; the node cannot tell why: {error.message}", None)
    if receipt.gas_used >= gas_limit:
        return CallReverted(f"ran out of gas at its limit of {gas_limit}", None)
    return CallReverted("reverted where it was mined, though the same call passes at the end of that block", None)


async def broadcast(rpc: Rpc, raw: bytes) -> tuple[NodeAnswer, str]:
    """Hand the bytes to the node; the meaning of its answer, and its words.

    Raises:
        RpcUnavailable: no answer. The bytes may have arrived all the same.
    """
    try:
        await rpc.call("eth_sendRawTransaction", [hex0x(raw)])
    except RpcError as error:
        return classify_answer(error.code, error.message), error.message
    return NodeAnswer.ACCEPTED, "accepted"
