"""One random sequence of what a listener may meet: the chain moves, nodes mislead, listeners die, sleep and come twice.

A plan is drawn from a seed, whole and before anything happens, so that it can be printed and repeated; `Ordeal.undergo`
carries it out. How listeners and chain interleave within a step is the machine's. Then the weather clears, and whoever
listens next has to catch up.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.chain.deep_chain import DeepChain
from tests.support.faults.chain_proxy import FINAL_DEPTH
from tests.support.scenarios.fund_actions import Deeds
from tests.support.scenarios.listener_hosts import ALL_LIVE, ENDPOINTS_MAX, Setting, Station

STEPS: Final = (8, 24)
_WAITS_MAX: Final = 400
"""A listener that catches up waits some hundred times; drawn evenly in their logarithm, so that early ones are met too."""
_QUIET: Final = 6
"""Looks at which nobody had asked a node for anything: whoever listens asks more often, but for one that is overloaded."""


@dataclass(frozen=True)
class Step:
    """What happens, with everything that was drawn for it."""

    what: str
    drawn: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.what}({', '.join(f'{key}={value}' for key, value in self.drawn.items() if value is not None)})"


def draw_setting(rng: random.Random) -> Setting:
    endpoints = rng.choice((1, 1, *range(2, ENDPOINTS_MAX + 1)))
    options = {
        "live_blocks": ALL_LIVE if endpoints == 1 else rng.choice((4, 8, 16)),
        "receipts_blocks_max": rng.choice((5, 20)),
        "batch_logs_max": rng.choice((20, 5_000)),
        "catch_up_blocks_max": rng.choice((3, 10, 40)),
        "catch_up_at_once": rng.choice((1, 2, 4)),
    }
    return Setting(endpoints, rng.randrange(endpoints), rng.choice(("lying", "lying well")), options)


Settings = Sequence[Setting]
"""Of each station."""


def draw_plan(rng: random.Random, settings: Settings) -> list[Step]:
    kinds = rng.choices(list(_STEPS), [weight for weight, _ in _STEPS.values()], k=rng.randint(*STEPS))
    first = [
        Step("weather", _weather_at(rng, settings, at, endpoint))
        for at, setting in enumerate(settings)
        for endpoint in range(setting.endpoints)
    ]
    # What was there before is recorded in this weather: that is most of the past that there is.
    beginning = [*first, Step("start", _start(rng, settings)), Step("breathe", {"requests": 20})]
    return [*beginning, *(Step(kind, _STEPS[kind][1](rng, settings)) for kind in kinds)]


def _wait(rng: random.Random, chance: float) -> int | None:
    return round(_WAITS_MAX ** rng.random()) if rng.random() < chance else None


def _act(rng: random.Random, _settings: Settings) -> dict[str, Any]:
    return {"deeds": rng.randint(2, 6), "seed": rng.getrandbits(32)}


def _mine(rng: random.Random, _settings: Settings) -> dict[str, Any]:
    return {"blocks": rng.choice((1, 3, 10, 33, 40))}


def _reorganise(rng: random.Random, _settings: Settings) -> dict[str, Any]:
    return {"depth": rng.randint(1, 20), "coming_back": rng.choice((0.0, 0.5, 1.0)), "seed": rng.getrandbits(32)}


def _start(rng: random.Random, settings: Settings) -> dict[str, Any]:
    return {
        "at": rng.randrange(len(settings)),
        "batch_blocks": rng.choice((1, 3, 10, 50, 200)),
        "stops_at": _wait(rng, 0.2),
        "sleeps_at": _wait(rng, 0.2),
        "by_mistake": rng.random() < 0.2,
    }


def _twins(rng: random.Random, settings: Settings) -> dict[str, Any]:
    return {"batch_blocks": rng.choice((10, 50, 200)), "by_mistake": rng.random() < 0.5} | _act(rng, settings)


def _at(rng: random.Random, settings: Settings) -> dict[str, Any]:
    return {"at": rng.randrange(len(settings))}


def _endpoint(rng: random.Random, settings: Settings) -> dict[str, Any]:
    at = rng.randrange(len(settings))
    return {"at": at, "endpoint": rng.randrange(settings[at].endpoints)}


def _weather(rng: random.Random, settings: Settings) -> dict[str, Any]:
    return _weather_at(rng, settings, **_endpoint(rng, settings))


def _weather_at(rng: random.Random, settings: Settings, at: int, endpoint: int) -> dict[str, Any]:
    kind = settings[at].kind_of(endpoint)
    drawn = {"chance": rng.choice(_CHANCES[kind]), "seed": rng.getrandbits(32)}
    return {"at": at, "endpoint": endpoint, "kind": kind, **drawn}


_CHANCES: Final = {"failing": (0.1, 0.2, 0.4), "lying": (0.1, 0.2, 0.4), "lying well": (0.3, 0.6)}
"""Of a fault, at each request. Whoever lies well holds up few."""


def _days(rng: random.Random, _settings: Settings) -> dict[str, Any]:
    return {"days": rng.choice((2, 8))}


def _breathe(rng: random.Random, _settings: Settings) -> dict[str, Any]:
    return {"requests": rng.randint(2, 20)}


_STEPS: Final[dict[str, tuple[int, Callable[[random.Random, Settings], dict[str, Any]]]]] = {
    "act": (8, _act),
    "mine": (5, _mine),
    "reorganise": (4, _reorganise),
    "pass_days": (2, _days),
    "weather": (2, _weather),
    "go_away": (1, _endpoint),
    "start": (4, _start),
    "twins": (2, _twins),
    "stop": (1, _at),
    "wake": (2, _at),
    "breathe": (5, _breathe),
}


@dataclass
class Ordeal:
    chain: DeepChain
    stations: Sequence[Station]
    seed: str = ""
    settings: list[Setting] = field(default_factory=list)
    plan: list[Step] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    async def undergo(self, seed: str) -> None:
        """All of one sequence, up to the calm, after which the books stand at the chain's final block."""
        rng = random.Random(seed)
        self.seed, self.settings = seed, [draw_setting(rng) for _ in self.stations]
        self.plan, self.happened = draw_plan(rng, self.settings), []
        async with AsyncExitStack() as stack:
            for station, setting in zip(self.stations, self.settings, strict=True):
                await stack.enter_async_context(station.set_up(setting))
                station.ends = self.happened
            await self.chain.begin()
            for step in self.plan:
                self.happened.append(str(step))
                await getattr(self, f"_{step.what}")(**step.drawn)
            await self._calm()

    @property
    def met(self) -> list[str]:
        """The faults that befell anybody's request or announcement."""
        return [each for station in self.stations for node in station.nodes for each in node.met]

    def told(self) -> str:
        places = [f"{station.name}: {setting}" for station, setting in zip(self.stations, self.settings, strict=True)]
        weather = [
            f"{station.name}/{place} met {', '.join(node.met)}"
            for station in self.stations
            for place, node in enumerate(station.nodes)
            if node.met
        ]
        return "\n  ".join((f"seed {self.seed}:", *places, *self.happened, *weather))

    # ------------------------------------------------------------------------------------------------------- the steps

    async def _act(self, *, deeds: int, seed: int) -> None:
        rng = random.Random(seed)
        drawn = [Deeds(self.chain).drawn(rng) for _ in range(deeds)]
        self.happened[-1] += f": {', '.join(name for name, _ in drawn)}"
        await self.chain.block_of([each for _, sent in drawn for each in sent])

    async def _mine(self, *, blocks: int) -> None:
        await self.chain.mine(blocks)

    async def _reorganise(self, *, depth: int, coming_back: float, seed: int) -> None:
        gone = await self.chain.reorganise(depth, coming_back=coming_back, rng=random.Random(seed))
        self.happened[-1] += f": {gone} blocks"

    async def _pass_days(self, *, days: int) -> None:
        await self.chain.pass_days(days)

    async def _weather(self, *, at: int, endpoint: int, kind: str, chance: float, seed: int) -> None:
        self.stations[at].nodes[endpoint].weather(str(seed), chance, kind)

    async def _go_away(self, *, at: int, endpoint: int) -> None:
        self.stations[at].nodes[endpoint].go_away()

    async def _start(
        self, *, at: int, batch_blocks: int, stops_at: int | None, sleeps_at: int | None, by_mistake: bool
    ) -> None:
        """A listener at this station. It has the lease, from whoever had it; by mistake, it has the same as another one."""
        station = self.stations[at]
        await station.stop()
        held = next((each.lease for each in self.stations if each.lease is not None and each is not station), None)
        if by_mistake and held is not None:
            station.lease = held
            self.happened[-1] += ": the same lease"
        else:
            await station.take_lease()
        await station.start(batch_blocks=batch_blocks, stops_at=stops_at, sleeps_at=sleeps_at)

    async def _twins(self, *, batch_blocks: int, by_mistake: bool, deeds: int, seed: int) -> None:
        """All listen, and come to know of the same final blocks at the same time: each has overtaken the one before, or by
        mistake they have the same lease.
        """
        for station in self.stations:
            await station.stop()
        for place, station in enumerate(self.stations):
            if by_mistake and place > 0:
                station.lease = self.stations[0].lease
            else:
                await station.take_lease()
            await station.start(batch_blocks=batch_blocks)
            await self._breathe(requests=4)
        await self._act(deeds=deeds, seed=seed)
        await self.chain.mine(FINAL_DEPTH)
        await self._breathe(requests=20)

    async def _stop(self, *, at: int) -> None:
        await self.stations[at].stop()

    async def _wake(self, *, at: int) -> None:
        self.stations[at].wake()

    async def _breathe(self, *, requests: int) -> None:
        """Until so many requests were made, or nobody seems to make any."""
        made = sum(each.requests for each in self.stations)
        wanted, quiet = made + requests, 0
        while made < wanted and quiet < _QUIET:
            await asyncio.sleep(0.01)
            before, made = made, sum(each.requests for each in self.stations)
            quiet = quiet + 1 if made == before else 0

    async def _calm(self) -> None:
        """The weather clears, everything stops, and what happened becomes final; the next listener catches up."""
        for station in self.stations:
            for node in station.nodes:
                node.weather("calm", 0.0)
            await station.stop()
        final = await self.chain.make_all_final()
        heir = self.stations[0]
        await heir.take_lease()
        await heir.start(batch_blocks=200)
        await heir.reaches(final)
        await heir.stop()
