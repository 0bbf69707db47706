"""A chain on a stub node: blocks that chain, and the logs a test puts into them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.jsonrpc import StubNode, header_of
from tests.support.strategies import address, stamp

from paimon.domain.chain import Address, Hash32, checksum, hex0x

ASSET: Final = address(0xA55E7)


@dataclass
class StubChain:
    """Blocks 0 to `head`, each the parent of the next. Spoil `headers` or `logs` to make the node lie."""

    head: int
    headers: dict[int, dict[str, Any]] = field(default_factory=dict)
    logs: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(self.head + 1):
            parent = stamp(number - 1).hash if number else Hash32(bytes(32))
            self.headers[number] = header_of(stamp(number), parent)

    def emit(self, block: int, address: Address, topics: Sequence[bytes], data: bytes = b"", **changes: Any) -> None:
        raw = {
            "address": checksum(address),
            "topics": [hex0x(topic) for topic in topics],
            "data": hex0x(data),
            "blockNumber": hex(block),
            "blockHash": hex0x(stamp(block).hash),
            "transactionHash": hex0x(bytes(31) + bytes([block % 256])),
            "transactionIndex": "0x0",
            "logIndex": hex(sum(each["blockNumber"] == hex(block) for each in self.logs)),
            "removed": False,
        }
        self.logs.append(raw | changes)

    def serve(self, node: StubNode) -> None:
        def get_block(params: list[Any]) -> Any:
            number = self.head if params[0] in ("finalized", "latest") else int(params[0], 16)
            return self.headers.get(number)

        def get_logs(params: list[Any]) -> list[dict[str, Any]]:
            first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            transfers = "topics" in params[0]
            asked = (each for each in self.logs if (each["address"] in params[0]["address"]) or not transfers)
            return [each for each in asked if first <= int(each["blockNumber"], 16) <= last]

        node.methods |= {
            "eth_getBlockByNumber": get_block,
            "eth_getLogs": get_logs,
            "eth_chainId": hex(31337),
            "eth_call": hex0x(bytes(12) + ASSET),  # the listener asks for `Vault.asset()` and nothing else
        }
