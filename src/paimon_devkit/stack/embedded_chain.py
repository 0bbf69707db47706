"""A local chain (anvil) on 127.0.0.1 that can be stopped, killed and resumed.

Id 31337, a block every second, and one-slot epochs so that `finalized` follows two blocks behind. On resume anvil's
clock is the wall clock again: after days were skipped, its next block would be older than its parent, which breaks
fee reads. So it starts without mining, its time is moved past the last block, and only then does it mine. A few
blocks at once make the block it was stopped at final again, so that reads at `finalized` find a known state.
"""

import signal
import threading
import time
from pathlib import Path
from typing import Self

from paimon_devkit.stack.chain_rpc import ChainHead, ChainRpc
from paimon_devkit.stack.chain_state import ChainState
from paimon_devkit.stack.child import Child, ChildSpec
from paimon_devkit.stack.errors import DemoError, ServerUnavailable
from paimon_devkit.stack.ports import HOST, free_port, require_free

CHAIN_ID = 31337
# Public knowledge, as every development chain's: only ever funds of a chain that exists on this machine.
ANVIL_MNEMONIC = "test test test test test test test test test test test junk"

_BLOCKS_ON_RESUME = 3
_CHECKPOINT_SECONDS_MIN = 1.0
_CHECKPOINT_TIMEOUT_SECONDS = 120.0
_CHECKPOINT_SHARE_MAX = 0.05  # of the time: a longer history makes checkpoints slower, so also rarer


class EmbeddedChain:
    """One chain. A stop loses nothing; killing anvil loses what is younger than the last checkpoint (about 1 s)."""

    def __init__(
        self,
        data: Path,
        *,
        anvil: Path,
        mnemonic: str = ANVIL_MNEMONIC,
        accounts: int = 10,
        block_at: int = 1,
        slots_in_an_epoch: int = 1,
        port: int | None = None,
    ) -> None:
        """`data` is the demo's data folder, `anvil` the program, `block_at` in seconds; final is what lies two epochs
        below the head. Raises PortInUse.
        """
        self._data = data
        self._home = data / "chain"
        self._anvil = anvil
        self._mnemonic = mnemonic
        self._accounts = accounts
        self._block_time = block_at
        self._slots_in_an_epoch = slots_in_an_epoch
        self.port = free_port() if port is None else require_free(port)
        self.rpc = ChainRpc(self.http_url)
        self._files = ChainState(self._home)
        self._files_lock = threading.Lock()
        self._resuming = False
        self._ended: threading.Event | None = None  # set: the running process has ended
        self._child: Child | None = None

    @property
    def http_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """JSON-RPC over WebSocket."""
        return f"ws://{HOST}:{self.port}"

    @property
    def exists(self) -> bool:
        """Whether the data folder holds a chain that the next start resumes."""
        return self._files.exists

    def spec(self) -> ChildSpec:
        """For a supervisor; `start` uses the same."""
        home = self._home.resolve()
        home.mkdir(parents=True, exist_ok=True)
        return ChildSpec(
            name="chain",
            argv=(
                *(str(self._anvil), "--host", HOST, "--port", str(self.port), "--quiet"),
                *("--chain-id", str(CHAIN_ID), "--mnemonic", self._mnemonic, "--accounts", str(self._accounts)),
                *("--slots-in-an-epoch", str(self._slots_in_an_epoch), "--no-mining"),
                # Only at the end: it would rewrite the file in place once a minute (chain_state.py keeps checkpoints).
                *("--state", str(self._files.state_file.resolve()), "--state-interval", str(10**9)),
                # States of blocks beyond the last 1500 would go to disk, by the gigabyte.
                *("--preserve-historical-states", "--max-persisted-states", "0", "--cache-path", str(home / "cache")),
            ),
            before_start=self._choose_state,
            ready=self._resume,
            after_exit=self._on_end,
            ready_seconds_max=30,
            stop_signal=signal.SIGINT,  # the only signal at which it writes its state
            grace_seconds=30,
            death_signal=signal.SIGINT,
        )

    def start(self) -> None:
        """Start and wait until it mines. Raises ChildFailed. The calling thread must live as long as the chain."""
        self._child = Child(self.spec(), self._data / "logs")
        self._child.start()

    def stop(self) -> None:
        """Stop and wait for the state to be written; does nothing when not started."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> int:
        """SIGKILL, as a fault would; returns the pid. Only for a chain begun by `start`."""
        if self._child is None:
            raise DemoError("the chain was not started here")
        return self._child.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def warp(self, seconds: int) -> ChainHead:
        """Move chain time forward by at least `seconds` and mine; returns the head after it."""
        return self.rpc.warp(seconds)

    def wait_until_final(self, number: int, *, seconds_max: float = 30.0) -> ChainHead:
        """Wait until block `number` is final; returns the final head."""
        return self.rpc.wait_until_final(number, seconds_max=seconds_max)

    def _choose_state(self) -> None:
        with self._files_lock:
            self._resuming = self._files.prepare_resume()

    def _resume(self) -> bool:
        """The readiness probe: once it answers, move its time past the last block and let it mine."""
        head = self.rpc.head()
        if self._resuming:
            behind = max(head.timestamp - int(time.time()), 0)
            for step in (behind + 1, *[1] * (_BLOCKS_ON_RESUME - 1)):
                self.rpc.warp(step)  # a second each: no two with the same timestamp
        self.rpc.call("evm_setIntervalMining", self._block_time)
        self._ended = threading.Event()
        threading.Thread(target=self._write_checkpoints, args=(self._ended,), name="checkpoints", daemon=True).start()
        return True

    def _on_end(self) -> None:
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _write_checkpoints(self, ended: threading.Event) -> None:
        pause, last = _CHECKPOINT_SECONDS_MIN, -1
        # A long history takes seconds to dump, and the chain does nothing else meanwhile: cut off, it would be for nothing.
        slow_rpc = ChainRpc(self.http_url, timeout_seconds=_CHECKPOINT_TIMEOUT_SECONDS)
        while not ended.wait(pause):
            began = time.monotonic()
            try:
                if (head := self.rpc.head().number) == last:
                    continue
                dumped = slow_rpc.call("anvil_dumpState", False)
            except (OSError, ValueError, DemoError):
                pause = _pause_after(began)
                continue  # it is ending or busy; the last checkpoint stands
            with self._files_lock:
                if ended.is_set():
                    return
                self._files.checkpoint(dumped)
            last = head
            pause = _pause_after(began)


def _pause_after(began: float) -> float:
    """So long that checkpoints, done or failed, stay a small share of the chain's time."""
    return max(_CHECKPOINT_SECONDS_MIN, (time.monotonic() - began) / _CHECKPOINT_SHARE_MAX)


def find_anvil(contracts: Path) -> Path:
    """The program of npm's `@foundry-rs/anvil` below `contracts`, for this platform. Raises ServerUnavailable."""
    found = sorted(contracts.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if not found:
        raise ServerUnavailable(f"no local chain program below {contracts}: run `npm ci` there")
    return found[0].resolve()
