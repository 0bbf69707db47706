"""A node of a chain with hardly any logs, whose headers link and hash correctly.

`python -m bench.sparse_node BLOCKS PORT VAULT CONTROLLER` serves it, and prints `ready` once it does. It builds every header on
request and keeps only the hashes.
"""

import sys
from typing import Any, Final

import orjson
from aiohttp import web

from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.blockchain.proof.bloom import bloom_of
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.proof.keccak import keccak256
from paimon.infrastructure.blockchain.proof.merkle import EMPTY_ROOT

LOG_INTERVAL_BLOCKS: Final = 5_000
"""The number of blocks from one log to the next."""
_BLOCKS_WITHOUT_LOGS: Final = 1_000
"""The number of blocks at the head without a log: near the head the listener proves by receipts, and this node has none."""
_GENESIS_SECONDS: Final = 1_750_000_000
_ZERO: Final = "0x" + "00" * 32
_TOPIC: Final = "0x" + "11" * 32


class SparseChain:
    """The answers of such a node."""

    def __init__(self, blocks: int, vault: str, controller: str) -> None:
        self.head = blocks
        self.vault = vault
        views = {"vault()": vault, "assetController()": controller, "asset()": "0x" + "a5" * 20}
        self._views = {hex0x(keccak256(name.encode())[:4]): "0x" + "00" * 12 + found[2:] for name, found in views.items()}
        self._bloom = hex0x(bloom_of(bytes.fromhex(vault[2:]), bytes.fromhex(_TOPIC[2:])).to_bytes(256, "big"))
        self._no_bloom = "0x" + "00" * 256
        self.hashes: list[str] = []
        for number in range(blocks + 1):
            self.hashes.append(hex0x(header_hash(self._header(number))))

    def has_log(self, number: int) -> bool:
        """Return whether the block has a log of the vault."""
        return number % LOG_INTERVAL_BLOCKS == 0 and number <= self.head - _BLOCKS_WITHOUT_LOGS

    def _header(self, number: int) -> dict[str, Any]:
        return {
            "parentHash": self.hashes[number - 1] if number else _ZERO,
            "sha3Uncles": _ZERO,
            "miner": "0x" + "00" * 20,
            "stateRoot": _ZERO,
            "transactionsRoot": _ZERO,
            "receiptsRoot": hex0x(EMPTY_ROOT),
            "logsBloom": self._bloom if self.has_log(number) else self._no_bloom,
            "difficulty": "0x2",
            "number": hex(number),
            "gasLimit": "0x5f5e100",
            "gasUsed": "0x0",
            "timestamp": hex(_GENESIS_SECONDS + number // 2),
            "extraData": "0x",
            "mixHash": _ZERO,
            "nonce": "0x" + "00" * 8,
            "baseFeePerGas": "0x0",
        }

    def block(self, tag: str) -> dict[str, Any] | None:
        """Return the block of a tag or number; None above the head."""
        number = self.head if tag in ("latest", "finalized") else int(tag, 16)
        return None if number > self.head else self._header(number) | {"hash": self.hashes[number], "transactions": []}

    def logs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the logs in the blocks of a query; none for a query with topics."""
        if "topics" in query:
            return []
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        found = range(-(-first // LOG_INTERVAL_BLOCKS) * LOG_INTERVAL_BLOCKS, last + 1, LOG_INTERVAL_BLOCKS)
        return [self._log(number) for number in found if number and self.has_log(number)]

    def _log(self, number: int) -> dict[str, Any]:
        return {
            "address": self.vault,
            "topics": [_TOPIC],
            "data": "0x",
            "blockNumber": hex(number),
            "blockHash": self.hashes[number],
            "transactionHash": hex0x(number.to_bytes(32, "big")),
            "transactionIndex": "0x0",
            "logIndex": "0x0",
            "removed": False,
        }

    def answer(self, call: dict[str, Any]) -> Any:
        """Return the result of one JSON-RPC call."""
        params = call["params"]
        match call["method"]:
            case "eth_chainId":
                return hex(31337)
            case "eth_blockNumber":
                return hex(self.head)
            case "eth_getBlockByNumber":
                return self.block(params[0])
            case "eth_getLogs":
                return self.logs(params[0])
            case "eth_getBlockReceipts":
                return []
            case "eth_getCode":
                return "0x00"
            case "eth_call":
                return self._views[params[0]["data" if "data" in params[0] else "input"][:10]]
            case method:
                raise LookupError(method)


def main() -> None:
    """Serve the chain over HTTP until the process is stopped."""
    blocks, port, vault, controller = sys.argv[1:]
    chain = SparseChain(int(blocks), vault, controller)

    async def handle(request: web.Request) -> web.Response:
        calls = orjson.loads(await request.read())
        responses = [
            {"jsonrpc": "2.0", "id": call["id"], "result": chain.answer(call)}
            for call in (calls if isinstance(calls, list) else [calls])
        ]
        body = orjson.dumps(responses if isinstance(calls, list) else responses[0])
        return web.Response(body=body, content_type="application/json")

    app = web.Application(client_max_size=2**28)
    app.router.add_post("/", handle)
    web.run_app(app, host="127.0.0.1", port=int(port), print=lambda *_: print("ready", flush=True), access_log=None)


if __name__ == "__main__":
    main()
