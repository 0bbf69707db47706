"""A block's receipts as its header commits to them: their recomputed root, and their logs.

A node also returns fields that the root does not cover (the log's block, its index there). They are not read here: a log's
index follows from the position of its receipt. A transaction's hash is covered by another root, which takes all full
transactions to recompute. So the hash is taken from the node, and block, receipt and log must state the same one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.blockchain.proof.merkle import ordered_root, quantity, rlp_encode
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

ReceiptJson = Mapping[str, Any]
"""A receipt as `eth_getBlockReceipts` and `eth_getTransactionReceipt` return it."""


class ReceiptsNotServed(Exception):
    """The endpoint does not serve receipts of these blocks, by block or by transaction. A retry does not help."""


class ReceiptLog(NamedTuple):
    """A log and its position in the block, which is counted and not taken from the node."""

    log_index: int
    tx_index: int
    tx_hash: Hash32
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


def receipts_root(receipts: Sequence[ReceiptJson]) -> Hash32:
    """Return the `receiptsRoot` of a header with these receipts, in order. Raises as `read_receipts`."""
    return read_receipts(receipts)[0]


def read_receipts(receipts: Sequence[ReceiptJson]) -> tuple[Hash32, list[ReceiptLog]]:
    """Return the root of these receipts, in order, and all their logs, oldest first.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: a receipt is not readable.
    """
    encoded: list[bytes] = []
    logs: list[ReceiptLog] = []
    for tx_index, receipt in enumerate(receipts):
        contents = [_content(log) for log in receipt["logs"]]
        encoded.append(_encoded(receipt, contents))
        tx_hash = Hash32(_bytes(receipt["transactionHash"]))
        for content in contents:
            logs.append(ReceiptLog(len(logs), tx_index, tx_hash, *content))
    return Hash32(ordered_root(encoded)), logs


_Content = tuple[Address, tuple[bytes, ...], bytes]
"""The fields of a log that the root covers: address, topics and data."""


def _encoded(receipt: ReceiptJson, logs: Sequence[_Content]) -> bytes:
    """Return the receipt's encoding: plain for the first transaction type, after the type's number for later types."""
    status = receipt.get("status")
    content = rlp_encode([
        _bytes(receipt["root"]) if status is None else quantity(int(status, 16)),  # receipts before Byzantium have no status
        quantity(int(receipt["cumulativeGasUsed"], 16)),
        _bytes(receipt["logsBloom"]),
        logs,
    ])  # fmt: skip
    kind = int(receipt.get("type") or "0x0", 16)
    return bytes((kind,)) + content if kind else content


def _content(log: Mapping[str, Any]) -> _Content:
    return Address(_bytes(log["address"])), tuple(_bytes(topic) for topic in log["topics"]), _bytes(log["data"])


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


_RECEIPTS_PER_REQUEST: Final = 100


async def read_block_receipts(rpc: Rpc, blocks: Sequence[tuple[int, Sequence[str]]]) -> list[Sequence[ReceiptJson] | None]:
    """Read the receipts of each block, given by its number and its transactions' hashes; None where the node has none yet.

    They are read by block where the node supports that, else by transaction, which is slower and gives the same receipts.

    Raises:
        ReceiptsNotServed, RpcUnavailable, RpcError.
    """
    try:
        return await rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number, _ in blocks])
    except RpcError as error:
        if not _never_served(error):
            raise
    try:
        return [await _by_transaction(rpc, transactions) for _, transactions in blocks]
    except RpcError as error:
        if not _never_served(error):
            raise
        raise ReceiptsNotServed(f"{rpc.endpoint} serves no receipts of block {blocks[0][0]}: {error}") from error


async def _by_transaction(rpc: Rpc, transactions: Sequence[str]) -> list[ReceiptJson] | None:
    found: list[ReceiptJson | None] = []
    for start in range(0, len(transactions), _RECEIPTS_PER_REQUEST):
        chunk = transactions[start : start + _RECEIPTS_PER_REQUEST]
        found += await rpc.batch([("eth_getTransactionReceipt", [transaction]) for transaction in chunk])
    present = [receipt for receipt in found if receipt is not None]
    return present if len(present) == len(found) else None


_NEVER_SERVED_CODES: Final = frozenset({-32601, -32004, 4444})
"""Method not found; not supported; history pruned (EIP-4444)."""
_NEVER_SERVED_PHRASES: Final = (
    "does not exist",
    "not available",
    "not supported",
    "unsupported",
    "method not found",
    "unknown method",
    "not whitelisted",
    "pruned",
)


def _never_served(error: RpcError) -> bool:
    return error.code in _NEVER_SERVED_CODES or any(phrase in error.message.lower() for phrase in _NEVER_SERVED_PHRASES)
