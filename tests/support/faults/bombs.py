"""Answers that are small on the wire and huge once they are decoded or parsed, and a process that reads them.

`python -m tests.support.faults.bombs URL METHOD` asks a node once and prints how many MB its memory grew at most.
"""

import asyncio
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

DECODED_MB: Final = 400
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
_MB: Final = 1_000_000


def compressed(parts: Iterator[bytes], encoding: str) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return b"".join([*map(packer.compress, parts), packer.flush()])


def long_text(megabytes: int = DECODED_MB) -> Iterator[bytes]:
    """Yield a valid answer whose result is one long text."""
    yield b'{"jsonrpc":"2.0","id":1,"result":"0x'
    for _ in range(megabytes):
        yield b"0" * _MB
    yield b'"}'


def many_values(megabytes: int) -> Iterator[bytes]:
    """Yield a valid answer of many small lists: each of its bytes takes some twenty once it is parsed."""
    yield b'{"jsonrpc":"2.0","id":1,"result":['
    for _ in range(megabytes):
        yield b"[]," * (_MB // 3)
    yield b"[]]}"


async def _ask(url: str, method: str) -> None:
    async with Rpc(url, timeout_seconds=30, attempts_max=1) as rpc:
        try:
            await rpc.call(method, [{"fromBlock": "0x1", "toBlock": "0x1"}] if method == "eth_getLogs" else [])
        except (RpcUnavailable, RpcError) as error:
            print(f"{type(error).__name__}: {error}"[:300], file=sys.stderr)


def main() -> None:
    before = _peak_megabytes()
    asyncio.run(_ask(*sys.argv[1:3]))
    print(_peak_megabytes() - before)


def _peak_megabytes() -> float:
    """Return this program's peak memory. `getrusage` would also count that of the process that started it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
