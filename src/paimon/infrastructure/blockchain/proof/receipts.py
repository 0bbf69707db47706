"""A block's receipts as its header commits to them: their root recomputed, and the logs they hold.

What a node shows beside a receipt's own content (which block a log lies in, its number there) is not under the root and is
not read here: a log's place follows from the place of its receipt. The hash of a transaction is under another root, which
takes all transactions in full to recompute; it is read where the node says it, and the block, the receipt and the log must
say the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.blockchain.proof.merkle import ordered_root, quantity, rlp_encode
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

ReceiptJson = Mapping[str, Any]
"""As `eth_getBlockReceipts` and `eth_getTransactionReceipt` show it."""


class ReceiptsNotServed(Exception):
    """The endpoint does not serve receipts of these blocks, by block or by transaction, and will not by being asked again."""


class ReceiptLog(NamedTuple):
    """A log, and its place in the block by our own count."""

    log_index: int
    tx_index: int
    tx_hash: Hash32
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


def receipts_root(receipts: Sequence[ReceiptJson]) -> Hash32:
    """What the header of a block with these receipts, in their order, has as `receiptsRoot`. Raises as `read_receipts`."""
    return read_receipts(receipts)[0]


def read_receipts(receipts: Sequence[ReceiptJson]) -> tuple[Hash32, list[ReceiptLog]]:
    """The root of these receipts, in their order, and every log in them, oldest first.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: a receipt does not read.
    """
    encoded: list[bytes] = []
    logs: list[ReceiptLog] = []
    for tx_index, receipt in enumerate(receipts):
        contents = [_content(each) for each in receipt["logs"]]
        encoded.append(_encoded(receipt, contents))
        tx_hash = Hash32(_bytes(receipt["transactionHash"]))
        for content in contents:
            logs.append(ReceiptLog(len(logs), tx_index, tx_hash, *content))
    return Hash32(ordered_root(encoded)), logs


_Content = tuple[Address, tuple[bytes, ...], bytes]
"""What of a log is under the root: address, topics and data."""


def _encoded(receipt: ReceiptJson, logs: Sequence[_Content]) -> bytes:
    """The receipt as its transaction's type has it: bare for the first kind, behind the type's number for all later ones."""
    status = receipt.get("status")
    content = rlp_encode([
        _bytes(receipt["root"]) if status is None else quantity(int(status, 16)),  # Ethereum's before Byzantium have no status
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
    """The receipts of each block, given by its number and the hashes of its transactions; None where the node has none yet.

    By block where the node can; else by transaction, which is slower and says the same.

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
        found += await rpc.batch([("eth_getTransactionReceipt", [each]) for each in chunk])
    present = [each for each in found if each is not None]
    return present if len(present) == len(found) else None


_NEVER_SERVED_CODES: Final = frozenset({-32601, -32004, 4444})
"""No such method; not supported; history pruned (EIP-4444)."""
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
