"""CPU time to prove a block, without the network: hash its header and check its bloom, and read its receipts where needed.

The header is a real one of BSC, with 21 tracked contracts. The block with receipts has 150 transactions of 4 logs each, as
a busy one of BSC has. The baselines are what no implementation avoids: keccak over the header's bytes, and reading the
receipts' JSON.
"""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from bench.figures import Figure
from paimon.application.event_listener.fetch.log_filter import LogFilter
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract, TrackedContracts
from paimon.domain.kernel.chain import Address, ContractName, hex0x
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.proof.keccak import keccak256
from paimon.infrastructure.blockchain.proof.receipts import read_receipts

_HEADERS: Final = Path(__file__).parents[2] / "tests" / "support" / "chain" / "public_headers.json"
_HEADER_BYTES: Final = 790
_TRANSACTIONS: Final = 150
_LOGS: Final = 4
_SECONDS: Final = 2.0


async def measure() -> list[Figure]:
    """Measure a block without and one with receipts."""
    header = next(sample for sample in json.loads(_HEADERS.read_text()) if sample["chain"] == "BSC testnet, Cancun")
    log_filter = _log_filter()
    receipts = orjson.dumps(_receipts(random.Random(7)))  # noqa: S311 — made-up receipts

    def empty_block() -> None:
        header_hash(header)
        log_filter.may_match_bloom(int(header["number"], 16), int(header["logsBloom"], 16))

    def full_block() -> None:
        _, logs = read_receipts(orjson.loads(receipts))
        for log in logs:
            log_filter.matches(1, log.address, log.topics)

    print(f"  {len(receipts):,} bytes of receipts", flush=True)
    empty, full = _per_second(empty_block), _per_second(full_block)
    return [
        Figure("proof.empty_blocks_s", round(empty), "blocks/s", round(_per_second(lambda: keccak256(bytes(_HEADER_BYTES))))),
        Figure("proof.receipts_ms", round(1000 / full, 2), "ms", round(1000 / _per_second(lambda: orjson.loads(receipts)), 2)),
    ]


def _per_second(work: Callable[[], Any]) -> float:
    done, began = 0, time.process_time()
    while (seconds := time.process_time() - began) < _SECONDS:
        work()
        done += 1
    return done / seconds


def _log_filter() -> LogFilter:
    own = {ContractName.VAULT: 1, ContractName.REDEMPTION_MANAGER: 2, ContractName.ASSET_CONTROLLER: 3}
    return LogFilter.of(
        TrackedContracts.of([
            *(TrackedContract(_address(number), name, ContractOrigin.SETTINGS, 1) for name, number in own.items()),
            TrackedContract(_address(4), ContractName.TOKEN, ContractOrigin.VAULT_ASSET, 1),
            *(TrackedContract(_address(5 + number), ContractName.TOKEN, ContractOrigin.EVENT, 1) for number in range(17)),
        ])
    )  # fmt: skip


def _address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


def _receipts(rng: random.Random) -> list[dict[str, Any]]:
    def log() -> dict[str, Any]:
        return {
            "address": hex0x(rng.randbytes(20)),
            "topics": [hex0x(rng.randbytes(32)) for _ in range(3)],
            "data": hex0x(rng.randbytes(64)),
            "blockNumber": "0x2bd0f45",
            "blockHash": hex0x(rng.randbytes(32)),
            "logIndex": "0x1",
            "transactionHash": hex0x(rng.randbytes(32)),
            "transactionIndex": "0x1",
            "removed": False,
        }

    return [
        {
            "type": "0x2",
            "status": "0x1",
            "cumulativeGasUsed": hex(number * 21_000),
            "logsBloom": hex0x(rng.randbytes(256)),
            "transactionHash": hex0x(rng.randbytes(32)),
            "logs": [log() for _ in range(_LOGS)],
        }
        for number in range(_TRANSACTIONS)
    ]
