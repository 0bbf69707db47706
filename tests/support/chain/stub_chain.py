"""A chain on a stub node: linked blocks that commit to their logs, as on a real chain, and the logs that a test emits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.chain.stub_node import StubNode
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Address, BlockStamp, checksum, hex0x
from paimon.infrastructure.blockchain.finality import block_stamp
from paimon.infrastructure.blockchain.proof.bloom import bloom_of
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.proof.merkle import EMPTY_ROOT
from paimon.infrastructure.blockchain.proof.receipts import receipts_root

ASSET: Final = address(0xA55E7)
_ZERO: Final = hex0x(bytes(32))


@dataclass
class StubChain:
    """Blocks 0 to `head`, each the parent of the next. All logs of a block are in one transaction.

    Change `headers`, `logs` or `receipts` after the last `emit` to make the node return wrong data. A log with the key
    `unrequested` is in every answer.
    """

    head: int
    headers: dict[int, dict[str, Any]] = field(default_factory=dict)
    logs: list[dict[str, Any]] = field(default_factory=list)
    receipts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seal(0)

    def stamp(self, number: int) -> BlockStamp:
        return block_stamp(self.headers[number])

    def emit(self, block: int, address: Address, topics: Sequence[bytes], data: bytes = b"", **changes: Any) -> None:
        raw = {
            "address": checksum(address),
            "topics": [hex0x(topic) for topic in topics],
            "data": hex0x(data),
            "blockNumber": hex(block),
            "transactionHash": _transaction(block),
            "transactionIndex": "0x0",
            "logIndex": hex(sum(log["blockNumber"] == hex(block) for log in self.logs)),
            "removed": False,
        }
        self.logs.append(raw)
        self._seal(block)
        raw |= changes

    def add_bloom_bits(self, block: int, bloom: int) -> None:
        """Set bits in the block's bloom, as logs of other contracts do."""
        self._seal(block, bloom)

    def _seal(self, first: int, more_bloom: int = 0) -> None:
        """Rebuild the headers from this block on, so that they commit to the logs, and set each log's block hash."""
        for number in range(first, self.head + 1):
            logs = [log for log in self.logs if log["blockNumber"] == hex(number)]
            bloom = more_bloom if number == first else 0
            for log in logs:
                bloom |= bloom_of(*(bytes.fromhex(part[2:]) for part in (log["address"], *log["topics"])))
            self.receipts[number] = [_receipt(number, bloom, logs)] if logs or bloom else []
            header = self._header(number, bloom)
            self.headers[number] = header | {"hash": hex0x(header_hash(header))}
            for log in logs:
                log["blockHash"] = self.headers[number]["hash"]

    def _header(self, number: int, bloom: int) -> dict[str, Any]:
        return {
            "parentHash": self.headers[number - 1]["hash"] if number else _ZERO,
            "sha3Uncles": _ZERO,
            "miner": checksum(address(0)),
            "stateRoot": _ZERO,
            "transactionsRoot": hex0x(EMPTY_ROOT),
            "receiptsRoot": hex0x(receipts_root(self.receipts[number])),
            "logsBloom": hex0x(bloom.to_bytes(256, "big")),
            "difficulty": "0x2",
            "number": hex(number),
            "gasLimit": "0x5f5e100",
            "gasUsed": "0x0",
            "timestamp": hex(int(EPOCH.timestamp()) + number),
            "extraData": "0x",
            "mixHash": _ZERO,
            "nonce": "0x" + "00" * 8,
            "baseFeePerGas": "0x0",
            "transactions": [receipt["transactionHash"] for receipt in self.receipts[number]],
        }

    def serve(self, node: StubNode) -> None:
        def get_block(params: list[Any]) -> Any:
            number = self.head if params[0] in ("finalized", "latest") else int(params[0], 16)
            return self.headers.get(number)

        def get_logs(params: list[Any]) -> list[dict[str, Any]]:
            first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            matching = (log for log in self.logs if log.get("unrequested") or _matches_filter(log, params[0]))
            return [log for log in matching if first <= int(log["blockNumber"], 16) <= last]

        def get_receipt(params: list[Any]) -> Any:
            all_receipts = (receipt for receipts in self.receipts.values() for receipt in receipts)
            return next((receipt for receipt in all_receipts if receipt["transactionHash"] == params[0]), None)

        node.methods |= {
            "eth_getBlockByNumber": get_block,
            "eth_getLogs": get_logs,
            "eth_getBlockReceipts": lambda params: self.receipts.get(int(params[0], 16)),
            "eth_getTransactionReceipt": get_receipt,
            "eth_blockNumber": lambda _params: hex(self.head),
            "eth_chainId": hex(31337),
            "eth_call": hex0x(bytes(12) + ASSET),  # the listener reads only `Vault.asset()`
        }


def _matches_filter(log: dict[str, Any], query: dict[str, Any]) -> bool:
    topics = log["topics"]
    return log["address"] in query["address"] and all(
        topic is None or topics[position : position + 1] == [topic] for position, topic in enumerate(query.get("topics", []))
    )


def _transaction(block: int) -> str:
    return hex0x(bytes(30) + block.to_bytes(2, "big"))


def _receipt(number: int, bloom: int, logs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "0x2",
        "status": "0x1",
        "cumulativeGasUsed": "0x5208",
        "logsBloom": hex0x(bloom.to_bytes(256, "big")),
        "transactionHash": _transaction(number),
        "transactionIndex": "0x0",
        "logs": [dict(log) for log in logs],
    }
