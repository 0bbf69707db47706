"""Listeners in this process that a test starts, cancels at one wait, suspends at another, and supersedes.

`Listener.follow` is what `paimon listener` runs. The test takes the lease, so that it can take the lease away or give it out
twice. The listener is driven wait by wait (see `crash_points`). Each scenario gets a new pool of endpoints, since the health
of the old one does not depend on the seed.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from tests.support.faults.chain_proxy import ChainProxy
from tests.support.faults.crash_points import DrivenCoroutine

from paimon.application.event_listener.ingest.listener import Listener
from paimon.composition import AppContext, fund_contracts, open_rpc
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, try_acquire
from paimon.infrastructure.database.models.derived import CursorRow

LEASE: Final = "listener"
_LEASE_TTL_SECONDS: Final = 86_400.0
_TIMEOUT_SECONDS: Final = 60.0
_EXPIRE_LEASES: Final = text("UPDATE ops.leases SET expires_at = now() - interval '1 second'")


@dataclass
class InterruptibleListener(DrivenCoroutine):
    """A listener that is cancelled at its `cancel_at`-th wait, as by a signal, and suspended from its `suspend_at`-th on.

    A cancelled listener is not suspended any more, since the test waits for its end.
    """

    cancel_at: int | None = None
    suspend_at: int | None = None
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _cancel_requested: bool = False

    def before_wait(self) -> None:
        if self.waits == self.cancel_at:
            self.stop()

    def stop(self) -> None:
        """Cancel the task, only once: a second signal would interrupt the cleanup after the first.

        The task's own count of cancellations does not help, because it includes the listener's timeouts.
        """
        assert self.task is not None
        if not self._cancel_requested:
            self._cancel_requested = True
            self.task.cancel()

    def after_wait(self) -> Generator[Any, Any, None]:
        if self.waits == self.suspend_at and not self._cancel_requested:
            yield from self.resumed.wait().__await__()


ENDPOINTS_MAX: Final = 3
ALL_NEAR_HEAD: Final = 10_000
"""A `strict_proof_blocks` with which every block of a scenario is near the head, so that only receipts count as proof."""


@dataclass(frozen=True)
class HostConfig:
    """A host's setup for one scenario: its pool's endpoints, of which one may be byzantine, and chain settings.

    Two endpoints with the same wrong answer are believed, which is a known limit (docs/concepts/completeness.md). So one
    endpoint stays the byzantine one for the whole scenario: the same fault of two endpoints in turn would count as two. Only
    receipts can contradict a single endpoint, so for a single one every block counts as near the head.
    """

    endpoints: int = 1
    byzantine_endpoint: int = 0
    byzantine_profile: str = "byzantine"
    options: Mapping[str, Any] = field(default_factory=lambda: {"strict_proof_blocks": ALL_NEAR_HEAD})

    def profile_of(self, endpoint: int) -> str:
        """Return the endpoint's fault profile (`chain_faults.RPC_FAULTS`)."""
        return self.byzantine_profile if endpoint == self.byzantine_endpoint else "failing"


_SHORT_TIMEOUTS: Final = {"request_timeout_seconds": 0.25, "attempts_max": 1, "poll_seconds": 0.01}


@dataclass
class ListenerHost:
    """A host on which a listener may run. Its endpoints are the first of `nodes`."""

    name: str
    app_context: AppContext
    nodes: Sequence[ChainProxy]
    lease: HeldLease | None = None
    epochs: set[int] = field(default_factory=set)
    """The epochs under which a listener was started here."""
    end_reasons: list[str] = field(default_factory=list)
    _running: InterruptibleListener | None = None

    @asynccontextmanager
    async def configured(self, host_config: HostConfig) -> AsyncIterator[None]:
        """Open a new pool without faults, and forget the previous scenario."""
        for node in self.nodes:
            node.restart_profile(self.name, 0.0)
        self.lease, self.end_reasons = None, []
        self.epochs.clear()
        first, *more = (node.url for node in self.nodes[: host_config.endpoints])
        chain = self.app_context.settings.chain.model_copy(
            update={
                "rpc_url": SecretStr(first),
                "extra_rpc_urls": SecretStr(" ".join(more)) if more else None,
                "ws_url": SecretStr(self.nodes[0].ws_url),
                **_SHORT_TIMEOUTS,
                **host_config.options,
            }
        )
        settings = self.app_context.settings.model_copy(update={"chain": chain})
        async with open_rpc(chain) as rpc:
            self.app_context = replace(self.app_context, settings=settings, rpc=rpc, contracts=fund_contracts(rpc, settings))
            yield

    @property
    def requests(self) -> int:
        return sum(node.requests for node in self.nodes)

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.task is not None and not self._running.task.done()

    async def take_lease(self) -> None:
        """Take the lease, as if its holder had let it expire."""
        async with self.app_context.database.write() as session:
            await session.execute(_EXPIRE_LEASES)
        self.lease = await try_acquire(self.app_context.database, LEASE, self.name, ttl_seconds=_LEASE_TTL_SECONDS)

    async def start(self, *, batch_blocks: int, cancel_at: int | None = None, suspend_at: int | None = None) -> None:
        assert self.lease is not None
        options = self.app_context.settings.chain.model_copy(update={"batch_blocks_max": batch_blocks})
        app_context = self.app_context
        listener = Listener(
            app_context.database, app_context.contracts, app_context.chain, options, app_context.settings.fund.start_block
        )
        self.epochs.add(self.lease.epoch)
        self._running = running = InterruptibleListener(listener.follow(self.lease), cancel_at=cancel_at, suspend_at=suspend_at)
        running.task = asyncio.create_task(self._run(running))
        await asyncio.sleep(0)  # start the task: one that is cancelled before its start never runs

    async def _run(self, running: InterruptibleListener) -> None:
        """Run the listener until it ends in an allowed way. `stop` raises any other error.

        Allowed are a cancellation, a lost lease, and a database error such as a closed connection. A duplicate row is not
        allowed. A halt does not end the task, but a halted listener never catches up, so no fault may cause one. A node's
        answer, or its silence, never ends a listener: it waits for the node.
        """
        try:
            await running
        except asyncio.CancelledError:
            self.end_reasons.append(f"{self.name} stopped at wait {running.waits}")
        except IntegrityError:
            raise
        except (LeaseLost, SQLAlchemyError) as end:
            self.end_reasons.append(f"{self.name} ended: {type(end).__name__}: {str(end).splitlines()[0]}")

    async def recorded_block(self) -> int:
        """Read the last recorded block."""
        async with self.app_context.database.read() as session:
            return (await session.execute(select(CursorRow.number))).scalar() or 0

    async def wait_until_recorded(self, block: int) -> None:
        """Wait until the listener has recorded this block. Fails when it ends before."""
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while await self.recorded_block() < block:
                assert self.is_running, f"the listener ended, and did not reach block {block}: {self.end_reasons[-1:]}"
                await asyncio.sleep(0.02)

    def resume(self) -> None:
        if self._running is not None:
            self._running.resumed.set()

    async def stop(self) -> None:
        """Stop the listener and raise the error that ended it wrongly. A suspended listener resumes, in order to end."""
        if self._running is None or self._running.task is None:
            return
        self.resume()
        self._running.stop()
        ending, self._running = self._running.task, None
        await asyncio.wait([ending])  # not `await ending`: a timeout of this test would cancel the task silently
        ending.result()
