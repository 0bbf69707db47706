"""The whole stack with an endpoint that is bad in every known way beside a good one, and a database that takes no writes.

Listener, worker, signer, scheduler and API are real processes. The bad endpoint stands first in their settings and answers at
once, the good one takes its time. Nothing may be lost and nothing may stop: the smoke test's redemptions settle, every effect
is on the chain once, the recorded state equals the chain, and no process ends.

The kinds take turns, drawn from the seed, until each has met a request. Meanwhile the endpoint keeps every transaction that
it is sent. CI runs one seed, the long form ten, which together go through every shape of a refused batch.
"""

import asyncio
import itertools
import json
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import pytest
from tests.support.chain.stub_node import rpc_endpoint
from tests.support.faults.bad_endpoint import KINDS, BadEndpoint
from tests.support.faults.faulty_endpoint import node_session

from paimon_devkit.stack.child_events import ChildEvent, ChildEventKind
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.smoke import SmokeRun
from paimon_devkit.stack.supervisor import Supervisor

pytestmark = pytest.mark.fault

LONG: Final = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED: Final = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
GOOD_SECONDS: Final = 0.03
KIND_SECONDS: Final = 1.5
"""How long one kind's turn is. A kind that met no request in it has another turn later."""
LAST_KIND: Final = "answers at once with unknown errors"
"""What the endpoint does from then on to the end. Taken for the caller's own errors, these would stop the stack for good."""
READ_ONLY_TURN: Final = 6
READ_ONLY_SECONDS: Final = 3.0
TRIED_SECONDS_MAX: Final = 180.0
"""How long the turns go on after the smoke test: an endpoint that was suspended is asked seldom."""

SETTINGS: Final = {
    "PAIMON_CHAIN__REQUEST_TIMEOUT_SECONDS": "2",
    "PAIMON_SENDING__STUCK_SECONDS": "4",
    "PAIMON_SCHEDULE__RECONCILE_SECONDS": "5",
}


@dataclass
class Endpoints:
    """The bad and the good endpoint before a node that starts later, served by a thread of their own."""

    seed: int
    node_url: str = ""
    bad: BadEndpoint = field(init=False)
    good: BadEndpoint = field(init=False)

    @contextmanager
    def serving(self) -> Iterator[None]:
        with asyncio.Runner() as runner, ThreadPoolExecutor(1, "endpoints") as pool:
            loop, opened = runner.get_loop(), self._opened()
            runner.run(opened.__aenter__())
            serving = pool.submit(loop.run_forever)
            try:
                yield
            finally:
                loop.call_soon_threadsafe(loop.stop)
                serving.result()
                runner.run(opened.__aexit__(None, None, None))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(node_session())
            self.bad = BadEndpoint(
                "", session, rng=random.Random(f"{self.seed}/answers"), first_shape=self.seed, node_url=lambda: self.node_url
            )
            self.good = BadEndpoint("", session, delay_seconds=GOOD_SECONDS, node_url=lambda: self.node_url)
            for endpoint in (self.bad, self.good):
                endpoint.url = await stack.enter_async_context(rpc_endpoint(endpoint.handle))
            yield


@dataclass
class Rotation:
    """Let the bad endpoint's kinds take turns, and let the database take no writes for a while, beside a smoke run."""

    bad: BadEndpoint
    data: Path
    rng: random.Random
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.bad.keeps_transactions = True
        with ThreadPoolExecutor(1, "rotation") as pool:
            turns = pool.submit(self._take_turns)
            try:
                yield
                deadline = time.monotonic() + TRIED_SECONDS_MAX
                while self.untried and not turns.done() and time.monotonic() < deadline:
                    time.sleep(0.1)
            finally:
                self._ended.set()
            turns.result()
        self.bad.kind = LAST_KIND
        assert not self.untried, f"never asked while it {' or '.join(self.untried)}"

    @property
    def untried(self) -> list[str]:
        return [kind for kind in KINDS if not self.bad.met[kind]]

    def _take_turns(self) -> None:
        while not self.bad.taken:  # an endpoint that has failed already is seldom the one that is sent to
            if self._ended.wait(0.1):
                return
        for turn in itertools.count():
            untried = self.untried
            self.bad.kind = LAST_KIND if not untried else untried[0] if turn % 2 == 0 else self.rng.choice(list(KINDS))
            if self._ended.wait(KIND_SECONDS):
                return
            if turn == READ_ONLY_TURN:
                self._refuse_writes()

    def _refuse_writes(self) -> None:
        """Make the primary read-only, as one that is demoted, and let it take writes again."""
        for value in ("on", "off"):
            with psycopg.connect(_superuser_url(self.data), autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
                connection.execute("SELECT pg_reload_conf()")
            if value == "on":
                self._ended.wait(READ_ONLY_SECONDS)


def _superuser_url(data: Path) -> str:
    password = json.loads((data / "postgres" / "passwords.json").read_text())["postgres"]
    line = next(line for line in (data / "demo.env").read_text().splitlines() if "OWNER_URL=" in line)
    address = line.partition("@")[2].partition("/")[0]
    return f"postgresql://postgres:{password}@{address}/postgres"


@pytest.mark.timeout(900)
@pytest.mark.long(70)
@pytest.mark.parametrize("seed", range(SEED, SEED + (10 if LONG else 1)))
def test_stack_loses_and_stops_nothing_beside_a_bad_endpoint(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None], seed: int
) -> None:
    data = data_folder / f"bad-endpoint-{seed}"
    lines: list[str] = []
    events: list[ChildEvent] = []
    endpoints = Endpoints(seed)

    def print_line(line: str) -> None:
        lines.append(line)
        if line.startswith("chain "):
            endpoints.node_url = stack.chain_rpc.url

    stack = DemoStack(data, print_line=print_line, fast=True, environment={})
    with endpoints.serving(), Supervisor(data, on_event=events.append) as supervisor:
        own = SETTINGS | {"PAIMON_CHAIN__RPC_URL": endpoints.bad.url, "PAIMON_CHAIN__EXTRA_RPC_URLS": endpoints.good.url}
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        stack.start(supervisor)
        began = time.monotonic()
        with Rotation(endpoints.bad, data, random.Random(f"{seed}/turns")).running():
            asyncio.run(SmokeRun(stack, print_line).run())
        asyncio.run(SmokeRun(stack, print_line).verify_final_state())
    if (reservation := stack._port_reservation) is not None:
        reservation.close()
    restarted = [str(event) for event in events if event.kind in (ChildEventKind.CRASHED, ChildEventKind.ABANDONED)]
    assert not restarted
    assert "discrepancies: 0" in lines
    assert endpoints.bad.taken, "no transaction was sent to the bad endpoint"
    met = ", ".join(f"{kind} {count}" for kind, count in (endpoints.bad.met + endpoints.bad.shapes_met).items())
    figures(
        f"bad endpoint, seed {seed}: {time.monotonic() - began:.0f} s, {len(endpoints.bad.taken)} broadcasts kept,"
        f" requests met: {met}"
    )
