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
from tests.support.faults.crash_points import Driven

from paimon.application.event_listener.ingest.listener import Listener
from paimon.composition import House, fund_contracts, open_rpc
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, try_take
from paimon.infrastructure.database.models.derived import CursorRow

LEASE: Final = "listener"
_FOR_EVER: Final = 86_400.0
_PATIENCE_SECONDS: Final = 60.0
_SET_FREE: Final = text("UPDATE owned.leases SET expires_at = now() - interval '1 second'")


@dataclass
class Sleeper(Driven):
    """Told to stop at its `stops_at`-th wait, as a signal would; asleep from its `sleeps_at`-th until woken. Whoever was told
    to stop does not fall asleep any more: the test waits for its end."""

    stops_at: int | None = None
    sleeps_at: int | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _told: bool = False

    def before_wait(self) -> None:
        if self.waits == self.stops_at:
            self.stop()

    def stop(self) -> None:
        """Once: a second signal would break off what the first one has to put in order. The task's own count of cancellations
        does not tell, a timeout of the listener's is among them."""
        assert self.task is not None
        if not self._told:
            self._told = True
            self.task.cancel()

    def after_wait(self) -> Generator[Any, Any, None]:
        if self.waits == self.sleeps_at and not self._told:
            yield from self.woken.wait().__await__()


ENDPOINTS_MAX: Final = 3
ALL_LIVE: Final = 10_000
"""`live_blocks` in which every block of an ordeal is near the head: nothing but receipts is taken as proof."""


@dataclass(frozen=True)
class Setting:
    """How a station is set up for one ordeal: its pool's endpoints, of which one may lie, and settings of the chain.

    Two that tell the same lie are believed, and that is known (docs/concepts/completeness.md). So it is one for the whole of an ordeal:
    a lie of one and, a moment later, the same of another would be two. A single endpoint is contradicted by nobody but the
    receipts, so that to it every block is live.
    """

    endpoints: int = 1
    liar: int = 0
    lies: str = "lying"
    options: Mapping[str, Any] = field(default_factory=lambda: {"live_blocks": ALL_LIVE})

    def kind_of(self, endpoint: int) -> str:
        """Of its weather (`chainfaults.READING`)."""
        return self.lies if endpoint == self.liar else "failing"


_IMPATIENT: Final = {"request_timeout_seconds": 0.25, "attempts_max": 1, "poll_seconds": 0.01}


@dataclass
class Station:
    """A place where a listener may run, on a house whose nodes are the first of `nodes`."""

    name: str
    house: House
    nodes: Sequence[ChainProxy]
    lease: HeldLease | None = None
    epochs: set[int] = field(default_factory=set)
    """Those under which a listener was started here."""
    ends: list[str] = field(default_factory=list)
    _life: Sleeper | None = None

    @asynccontextmanager
    async def set_up(self, setting: Setting) -> AsyncIterator[None]:
        """A new pool, in calm weather, and no memory."""
        for each in self.nodes:
            each.become(self.name, 0.0)
        self.lease, self.ends = None, []
        self.epochs.clear()
        first, *more = (each.url for each in self.nodes[: setting.endpoints])
        chain = self.house.settings.chain.model_copy(
            update={
                "rpc_url": SecretStr(first),
                "more_rpc_urls": SecretStr(" ".join(more)) if more else None,
                "ws_url": SecretStr(self.nodes[0].ws_url),
                **_IMPATIENT,
                **setting.options,
            }
        )
        settings = self.house.settings.model_copy(update={"chain": chain})
        async with open_rpc(chain) as rpc:
            self.house = replace(self.house, settings=settings, rpc=rpc, contracts=fund_contracts(rpc, settings))
            yield

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.nodes)

    @property
    def runs(self) -> bool:
        return self._life is not None and self._life.task is not None and not self._life.task.done()

    async def take_lease(self) -> None:
        """As if its holder, whoever that is, had let it run out."""
        async with self.house.database.write() as session:
            await session.execute(_SET_FREE)
        self.lease = await try_take(self.house.database, LEASE, self.name, ttl_seconds=_FOR_EVER)

    async def start(self, *, batch_blocks: int, stops_at: int | None = None, sleeps_at: int | None = None) -> None:
        assert self.lease is not None
        options = self.house.settings.chain.model_copy(update={"batch_blocks_max": batch_blocks})
        house = self.house
        listener = Listener(house.database, house.contracts, house.chain, options, house.settings.fund.start_block)
        self.epochs.add(self.lease.epoch)
        self._life = life = Sleeper(listener.follow(self.lease), stops_at=stops_at, sleeps_at=sleeps_at)
        life.task = asyncio.create_task(self._live(life))
        await asyncio.sleep(0)  # it has begun: a task that is cancelled before never was

    async def _live(self, life: Sleeper) -> None:
        """Until it ends in one of the ways a listener may end; any other is raised where it is stopped. That the database ended
        its connection is one of them; that its rows were there already is not.

        A halt is not among them: no weather may bring one about, and whoever is halted does not catch up. Nor is anything else
        that a node says or does not say: it is waited for.
        """
        try:
            await life
        except asyncio.CancelledError:
            self.ends.append(f"{self.name} stopped at wait {life.waits}")
        except IntegrityError:
            raise
        except (LeaseLost, SQLAlchemyError) as end:
            self.ends.append(f"{self.name} ended: {type(end).__name__}: {str(end).splitlines()[0]}")

    async def stands_at(self) -> int:
        """The last recorded block."""
        async with self.house.database.read() as session:
            return (await session.execute(select(CursorRow.number))).scalar() or 0

    async def reaches(self, block: int) -> None:
        """It runs until it has recorded this block."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while await self.stands_at() < block:
                assert self.runs, f"the listener ended, and did not reach block {block}: {self.ends[-1:]}"
                await asyncio.sleep(0.02)

    def wake(self) -> None:
        if self._life is not None:
            self._life.woken.set()

    async def stop(self) -> None:
        """Raises what ended the listener and should not have. One that fell asleep while it was ending goes on with that."""
        if self._life is None or self._life.task is None:
            return
        self.wake()
        self._life.stop()
        ending, self._life = self._life.task, None
        await asyncio.wait([ending])  # not the task itself: whoever gives up waiting would end it, and not be told
        ending.result()
