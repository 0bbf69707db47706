"""Listeners in this process that are started, told to stop at some wait, put to sleep at another, and overtaken.

`Listener.follow` is what `paimon listener` runs; the lease it runs under is taken here, by the test, so that it can be
taken away or given out twice. It is driven wait by wait (see `deathpoints`). Its pool of endpoints is made anew for each
ordeal: what endpoints taught before would be no part of a seed.
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
    """Told to stop at its `cancel_at`-th wait, as a signal would; asleep from its `suspend_at`-th until woken. Whoever was told
    to stop does not fall asleep any more: the test waits for its end."""

    cancel_at: int | None = None
    suspend_at: int | None = None
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _cancel_requested: bool = False

    def before_wait(self) -> None:
        if self.waits == self.cancel_at:
            self.stop()

    def stop(self) -> None:
        """Once: a second signal would break off what the first one has to put in order. The task's own count of cancellations
        does not tell, a timeout of the listener's is among them."""
        assert self.task is not None
        if not self._cancel_requested:
            self._cancel_requested = True
            self.task.cancel()

    def after_wait(self) -> Generator[Any, Any, None]:
        if self.waits == self.suspend_at and not self._cancel_requested:
            yield from self.resumed.wait().__await__()


ENDPOINTS_MAX: Final = 3
ALL_NEAR_HEAD: Final = 10_000
"""`strict_proof_blocks` in which every block of an ordeal is near the head: nothing but receipts is taken as proof."""


@dataclass(frozen=True)
class HostConfig:
    """How a station is set up for one ordeal: its pool's endpoints, of which one may lie, and settings of the chain.

    Two that tell the same lie are believed, and that is known (docs/concepts/completeness.md). So it is one for the whole of an ordeal:
    a lie of one and, a moment later, the same of another would be two. A single endpoint is contradicted by nobody but the
    receipts, so that to it every block is live.
    """

    endpoints: int = 1
    byzantine_endpoint: int = 0
    byzantine_profile: str = "lying"
    options: Mapping[str, Any] = field(default_factory=lambda: {"strict_proof_blocks": ALL_NEAR_HEAD})

    def profile_of(self, endpoint: int) -> str:
        """Of its weather (`chainfaults.READING`)."""
        return self.byzantine_profile if endpoint == self.byzantine_endpoint else "failing"


_SHORT_TIMEOUTS: Final = {"request_timeout_seconds": 0.25, "attempts_max": 1, "poll_seconds": 0.01}


@dataclass
class ListenerHost:
    """A place where a listener may run, on a house whose nodes are the first of `nodes`."""

    name: str
    app_context: AppContext
    nodes: Sequence[ChainProxy]
    lease: HeldLease | None = None
    epochs: set[int] = field(default_factory=set)
    """Those under which a listener was started here."""
    end_reasons: list[str] = field(default_factory=list)
    _running: InterruptibleListener | None = None

    @asynccontextmanager
    async def configured(self, host_config: HostConfig) -> AsyncIterator[None]:
        """A new pool, in calm weather, and no memory."""
        for each in self.nodes:
            each.restart_profile(self.name, 0.0)
        self.lease, self.end_reasons = None, []
        self.epochs.clear()
        first, *more = (each.url for each in self.nodes[: host_config.endpoints])
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
        return sum(each.requests for each in self.nodes)

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.task is not None and not self._running.task.done()

    async def take_lease(self) -> None:
        """As if its holder, whoever that is, had let it run out."""
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
        await asyncio.sleep(0)  # it has begun: a task that is cancelled before never was

    async def _run(self, running: InterruptibleListener) -> None:
        """Until it ends in one of the ways a listener may end; any other is raised where it is stopped. That the database ended
        its connection is one of them; that its rows were there already is not.

        A halt is not among them: no weather may bring one about, and whoever is halted does not catch up. Nor is anything else
        that a node says or does not say: it is waited for.
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
        """The last recorded block."""
        async with self.app_context.database.read() as session:
            return (await session.execute(select(CursorRow.number))).scalar() or 0

    async def wait_until_recorded(self, block: int) -> None:
        """It runs until it has recorded this block."""
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while await self.recorded_block() < block:
                assert self.is_running, f"the listener ended, and did not reach block {block}: {self.end_reasons[-1:]}"
                await asyncio.sleep(0.02)

    def resume(self) -> None:
        if self._running is not None:
            self._running.resumed.set()

    async def stop(self) -> None:
        """Raises what ended the listener and should not have. One that fell asleep while it was ending goes on with that."""
        if self._running is None or self._running.task is None:
            return
        self.resume()
        self._running.stop()
        ending, self._running = self._running.task, None
        await asyncio.wait([ending])  # not the task itself: whoever gives up waiting would end it, and not be told
        ending.result()
