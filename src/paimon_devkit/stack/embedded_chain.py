"""A local chain (anvil) on 127.0.0.1 that can be stopped, killed and resumed.

The chain id is 31337, and one-slot epochs keep `finalized` two blocks behind the head. After a resume anvil's clock is the
wall clock again: if days were skipped, its next block would be older than its parent, which breaks fee reads. So anvil starts
without mining, its time is moved past the last block, and then it mines. A few blocks at once make the block at which it
stopped final again, so that reads at `finalized` find a known state.

A chain of a test mines each second. One that runs for hours has a pace (block_producer.py says why), also for its states:
anvil keeps those of earlier blocks in memory and writes them to its file when it is stopped. Each is a whole copy, and each
grows with every block. `--prune-history` bounds how many there are, but not when anvil itself mines faster than every 3 s:
then it keeps 1500 of them in spite of it (800 MB, and a file of 720 MB, after 2700 blocks).
"""

import signal
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from paimon_devkit.stack.block_producer import IDLE_INTERVAL_SECONDS, BlockPace, BlockSchedule, produce_blocks
from paimon_devkit.stack.chain_rpc import ChainHead, ChainRpc
from paimon_devkit.stack.chain_state import STATES_KEPT, ChainState
from paimon_devkit.stack.child import Child, ChildSpec
from paimon_devkit.stack.errors import DemoError, ServerUnavailable
from paimon_devkit.stack.ports import HOST, free_port, require_free

CHAIN_ID = 31337
LASTING_PACE = BlockPace(busy_seconds=3, idle_seconds=300)
"""The pace of a chain that runs for hours: idle, it makes three blocks in five minutes, 0.4 MB of memory an hour."""
# Publicly known, as every development chain's mnemonic: it only controls accounts of chains on this machine.
ANVIL_MNEMONIC = "test test test test test test test test test test test junk"

_BLOCK_SECONDS = 1
_BLOCKS_ON_RESUME = 3
_CHECKPOINT_SECONDS_MIN = 1.0
_CHECKPOINT_TIMEOUT_SECONDS = 120.0
_CHECKPOINT_SHARE_MAX = 0.05  # of the time: a longer history makes checkpoints slower, and so less frequent


class EmbeddedChain:
    """One chain. A stop loses nothing; a kill of anvil loses the blocks since the last checkpoint (about 1 s)."""

    def __init__(
        self,
        data: Path,
        *,
        anvil: Path,
        mnemonic: str = ANVIL_MNEMONIC,
        accounts: int = 10,
        pace: BlockPace | None = None,
        slots_in_an_epoch: int = 1,
        port: int | None = None,
        notify: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Describe a chain in the demo's data folder; nothing starts yet. Raises PortInUse.

        `anvil` is the program. Without a pace, a block is mined each second. A block is final two epochs below the head.
        `notify` gets a line for the operator when the chain cannot be saved, and when it can be again.
        """
        self._data = data
        self._home = data / "chain"
        self._anvil = anvil
        self._mnemonic = mnemonic
        self._accounts = accounts
        self._pace = pace
        self._slots_in_an_epoch = slots_in_an_epoch
        self._notify = notify
        self.port = free_port() if port is None else require_free(port)
        self.rpc = ChainRpc(self.http_url)
        self._files = ChainState(self._home)
        self._files_lock = threading.Lock()
        self._resuming = False
        self._ended: threading.Event | None = None  # set when the running process has ended
        self._child: Child | None = None

    @property
    def http_url(self) -> str:
        """The URL of JSON-RPC over HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The URL of JSON-RPC over WebSocket."""
        return f"ws://{HOST}:{self.port}"

    @property
    def exists(self) -> bool:
        """Whether the data folder holds a chain that the next start resumes."""
        return self._files.exists

    def spec(self) -> ChildSpec:
        """Return the process for a supervisor; `start` uses it too."""
        home = self._home.resolve()
        home.mkdir(parents=True, exist_ok=True)
        return ChildSpec(
            name="chain",
            argv=(
                *(str(self._anvil), "--host", HOST, "--port", str(self.port), "--quiet"),
                *("--chain-id", str(CHAIN_ID), "--mnemonic", self._mnemonic, "--accounts", str(self._accounts)),
                *("--slots-in-an-epoch", str(self._slots_in_an_epoch), "--no-mining"),
                # Written only at the end: anvil would rewrite the file in place (chain_state.py says why that is not safe).
                *("--state", str(self._files.state_file.resolve()), "--state-interval", str(10**9)),
                *("--preserve-historical-states", "--prune-history", str(STATES_KEPT), "--cache-path", str(home / "cache")),
                "--no-cors",  # a page in the operator's browser has no business with this node
            ),
            before_start=self._choose_state,
            ready=self._resume,
            after_exit=self._on_end,
            ready_seconds_max=30,
            stop_signal=signal.SIGINT,  # the only signal on which anvil writes its state
            grace_seconds=30,
            death_signal=signal.SIGINT,
        )

    def start(self) -> None:
        """Start anvil and wait until it mines. Raises ChildFailed. The calling thread must live as long as the chain."""
        self._child = Child(self.spec(), self._data / "logs")
        self._child.start()

    def stop(self) -> None:
        """Stop anvil, if it runs, and wait until its state is written."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> int:
        """Send SIGKILL to a chain that `start` began, and return its pid."""
        if self._child is None:
            raise DemoError("the chain was not started here")
        return self._child.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def warp(self, seconds: int) -> ChainHead:
        """Move chain time forward by at least `seconds`, mine a block and return the head."""
        return self.rpc.warp(seconds)

    def wait_until_final(self, number: int, *, seconds_max: float = 30.0) -> ChainHead:
        """Wait until block `number` is final and return the final head."""
        return self.rpc.wait_until_final(number, seconds_max=seconds_max)

    def _choose_state(self) -> None:
        with self._files_lock:
            self._resuming = self._files.prepare_resume()

    def _resume(self) -> bool:
        """Finish the start, as the readiness probe: once anvil answers, move its time past the last block and let it mine."""
        head = self.rpc.head()
        if self._resuming:
            behind = max(head.timestamp - int(time.time()), 0)
            for step in (behind + 1, *[1] * (_BLOCKS_ON_RESUME - 1)):
                self.rpc.warp(step)  # a second each, so that no two blocks have one timestamp
        self._ended = threading.Event()
        self._mine(self._ended)
        threading.Thread(target=self._write_checkpoints, args=(self._ended,), name="checkpoints", daemon=True).start()
        return True

    def _mine(self, ended: threading.Event) -> None:
        """Let blocks be made: by anvil itself each second, or at the pace until the chain has ended."""
        if self._pace is None:
            self.rpc.call("evm_setIntervalMining", _BLOCK_SECONDS)
            return
        self.rpc.call("evm_setIntervalMining", IDLE_INTERVAL_SECONDS)
        schedule = BlockSchedule(self._pace, blocks_to_finality=2 * self._slots_in_an_epoch)
        threading.Thread(target=produce_blocks, args=(self.rpc, schedule, ended), name="blocks", daemon=True).start()

    def _on_end(self) -> None:
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _write_checkpoints(self, ended: threading.Event) -> None:
        """Save the chain again and again until it has ended. A save that fails is reported once and tried again."""
        pause, last, failed = _CHECKPOINT_SECONDS_MIN, -1, False
        # A long history takes seconds to dump, and the chain does nothing else meanwhile: a timeout would waste them.
        slow_rpc = ChainRpc(self.http_url, timeout_seconds=_CHECKPOINT_TIMEOUT_SECONDS)
        while not ended.wait(pause):
            began = time.monotonic()
            try:
                if (head := self.rpc.head().number) == last:
                    continue
                dumped = slow_rpc.call("anvil_dumpState", False)
            except (OSError, ValueError, DemoError):
                pause = _pause_after(began)
                continue  # anvil is busy or ending; the last checkpoint stays
            try:
                with self._files_lock:
                    if ended.is_set():
                        return
                    self._files.checkpoint(dumped)
            except (OSError, ValueError, EOFError, zlib.error) as error:
                if not failed:
                    self._notify(f"the chain cannot be saved, a kill would lose what came since: {error}; trying again")
                failed, pause = True, _pause_after(began)
                continue
            if failed:
                self._notify("the chain is saved again")
            last, failed = head, False
            pause = _pause_after(began)


def _pause_after(began: float) -> float:
    """Return a pause that keeps checkpoints, done or failed, a small share of the chain's time."""
    return max(_CHECKPOINT_SECONDS_MIN, (time.monotonic() - began) / _CHECKPOINT_SHARE_MAX)


def find_anvil(contracts: Path) -> Path:
    """Find the program of npm's `@foundry-rs/anvil` below `contracts` for this platform. Raises ServerUnavailable."""
    found = sorted(contracts.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if not found:
        raise ServerUnavailable(f"no local chain program below {contracts}: run `npm ci` there")
    return found[0].resolve()
