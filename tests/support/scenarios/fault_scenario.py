"""One random sequence of faults that a listener may meet: chain changes, faulty nodes, and listeners that stop, freeze or
run twice.

A whole plan is drawn from a seed before it runs, so that it can be printed and repeated. `FaultScenario.run` executes it. How
listeners and chain interleave within a step depends on the machine. At the end all faults stop, and the next listener has to
catch up.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.chain.deep_chain import DeepChain
from tests.support.faults.chain_proxy import FINAL_DEPTH
from tests.support.scenarios.fund_actions import FundActions
from tests.support.scenarios.listener_hosts import ALL_NEAR_HEAD, ENDPOINTS_MAX, HostConfig, ListenerHost

STEP_COUNT: Final = (8, 24)
_WAIT_POINTS_MAX: Final = 400
"""A listener that catches up waits some hundred times. The draw is even in the logarithm, to include early waits."""
_QUIET_CHECKS: Final = 6
"""Checks without a new request after which every listener counts as idle."""


@dataclass(frozen=True)
class ScenarioStep:
    """One step with its drawn arguments."""

    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in self.arguments.items() if value is not None)})"


def draw_host_config(rng: random.Random) -> HostConfig:
    endpoints = rng.choice((1, 1, *range(2, ENDPOINTS_MAX + 1)))
    options = {
        "strict_proof_blocks": ALL_NEAR_HEAD if endpoints == 1 else rng.choice((4, 8, 16)),
        "receipts_blocks_max": rng.choice((5, 20)),
        "batch_logs_max": rng.choice((20, 5_000)),
        "catch_up_blocks_max": rng.choice((3, 10, 40)),
        "catch_up_concurrency": rng.choice((1, 2, 4)),
    }
    return HostConfig(endpoints, rng.randrange(endpoints), rng.choice(("byzantine", "plausible")), options)


HostConfigs = Sequence[HostConfig]
"""The configuration of each host."""


def draw_plan(rng: random.Random, host_configs: HostConfigs) -> list[ScenarioStep]:
    kinds = rng.choices(list(_STEP_WEIGHTS), [weight for weight, _ in _STEP_WEIGHTS.values()], k=rng.randint(*STEP_COUNT))
    fault_profiles = [
        ScenarioStep("set_faults", _faults_at(rng, host_configs, at, endpoint))
        for at, host_config in enumerate(host_configs)
        for endpoint in range(host_config.endpoints)
    ]
    # The blocks before the scenario are recorded under these faults: they are most of the past.
    first_steps = [
        *fault_profiles,
        ScenarioStep("start", _start(rng, host_configs)),
        ScenarioStep("wait_requests", {"requests": 20}),
    ]
    return [*first_steps, *(ScenarioStep(kind, _STEP_WEIGHTS[kind][1](rng, host_configs)) for kind in kinds)]


def _wait(rng: random.Random, chance: float) -> int | None:
    return round(_WAIT_POINTS_MAX ** rng.random()) if rng.random() < chance else None


def _act(rng: random.Random, _host_configs: HostConfigs) -> dict[str, Any]:
    return {"actions": rng.randint(2, 6), "seed": rng.getrandbits(32)}


def _mine(rng: random.Random, _host_configs: HostConfigs) -> dict[str, Any]:
    return {"blocks": rng.choice((1, 3, 10, 33, 40))}


def _reorganise(rng: random.Random, _host_configs: HostConfigs) -> dict[str, Any]:
    return {"depth": rng.randint(1, 20), "reinclusion_chance": rng.choice((0.0, 0.5, 1.0)), "seed": rng.getrandbits(32)}


def _start(rng: random.Random, host_configs: HostConfigs) -> dict[str, Any]:
    return {
        "at": rng.randrange(len(host_configs)),
        "batch_blocks": rng.choice((1, 3, 10, 50, 200)),
        "cancel_at": _wait(rng, 0.2),
        "suspend_at": _wait(rng, 0.2),
        "shares_lease": rng.random() < 0.2,
    }


def _start_both(rng: random.Random, host_configs: HostConfigs) -> dict[str, Any]:
    return {"batch_blocks": rng.choice((10, 50, 200)), "shares_lease": rng.random() < 0.5} | _act(rng, host_configs)


def _at(rng: random.Random, host_configs: HostConfigs) -> dict[str, Any]:
    return {"at": rng.randrange(len(host_configs))}


def _endpoint(rng: random.Random, host_configs: HostConfigs) -> dict[str, Any]:
    at = rng.randrange(len(host_configs))
    return {"at": at, "endpoint": rng.randrange(host_configs[at].endpoints)}


def _faults(rng: random.Random, host_configs: HostConfigs) -> dict[str, Any]:
    return _faults_at(rng, host_configs, **_endpoint(rng, host_configs))


def _faults_at(rng: random.Random, host_configs: HostConfigs, at: int, endpoint: int) -> dict[str, Any]:
    profile = host_configs[at].profile_of(endpoint)
    drawn = {"chance": rng.choice(_CHANCES[profile]), "seed": rng.getrandbits(32)}
    return {"at": at, "endpoint": endpoint, "profile": profile, **drawn}


_CHANCES: Final = {"failing": (0.1, 0.2, 0.4), "byzantine": (0.1, 0.2, 0.4), "plausible": (0.3, 0.6)}
"""Chances of a fault per request, by profile. Plausible answers delay a listener rarely, so they may be frequent."""


def _days(rng: random.Random, _host_configs: HostConfigs) -> dict[str, Any]:
    return {"days": rng.choice((2, 8))}


def _wait_requests(rng: random.Random, _host_configs: HostConfigs) -> dict[str, Any]:
    return {"requests": rng.randint(2, 20)}


_STEP_WEIGHTS: Final[dict[str, tuple[int, Callable[[random.Random, HostConfigs], dict[str, Any]]]]] = {
    "act": (8, _act),
    "mine": (5, _mine),
    "reorganise": (4, _reorganise),
    "pass_days": (2, _days),
    "set_faults": (2, _faults),
    "go_down": (1, _endpoint),
    "start": (4, _start),
    "start_both": (2, _start_both),
    "stop": (1, _at),
    "resume": (2, _at),
    "wait_requests": (5, _wait_requests),
}


@dataclass
class FaultScenario:
    """Run one plan against hosts on one chain."""

    chain: DeepChain
    hosts: Sequence[ListenerHost]
    seed: str = ""
    host_configs: list[HostConfig] = field(default_factory=list)
    plan: list[ScenarioStep] = field(default_factory=list)
    steps_taken: list[str] = field(default_factory=list)

    async def run(self, seed: str) -> None:
        """Draw and run one plan. Afterwards the cursor is at the chain's final block."""
        rng = random.Random(seed)
        self.seed, self.host_configs = seed, [draw_host_config(rng) for _ in self.hosts]
        self.plan, self.steps_taken = draw_plan(rng, self.host_configs), []
        async with AsyncExitStack() as stack:
            for host, host_config in zip(self.hosts, self.host_configs, strict=True):
                await stack.enter_async_context(host.configured(host_config))
                host.end_reasons = self.steps_taken
            await self.chain.reset()
            for step in self.plan:
                self.steps_taken.append(str(step))
                await getattr(self, f"_{step.name}")(**step.arguments)
            await self._recover()

    @property
    def faults_met(self) -> list[str]:
        """The faults that requests and announcements met."""
        return [fault for host in self.hosts for node in host.nodes for fault in node.faults_met]

    def describe(self) -> str:
        # A scenario that failed before it began has no configurations yet.
        configs = [f"{host.name}: {host_config}" for host, host_config in zip(self.hosts, self.host_configs, strict=False)]
        faults = [
            f"{host.name}/{index} met {', '.join(node.faults_met)}"
            for host in self.hosts
            for index, node in enumerate(host.nodes)
            if node.faults_met
        ]
        return "\n  ".join((f"seed {self.seed}:", *configs, *self.steps_taken, *faults))

    # ------------------------------------------------------------------------------------------------------- the steps

    async def _act(self, *, actions: int, seed: int) -> None:
        rng = random.Random(seed)
        drawn = [FundActions(self.chain).draw(rng) for _ in range(actions)]
        self.steps_taken[-1] += f": {', '.join(name for name, _ in drawn)}"
        await self.chain.mine_block([transaction for _, transactions in drawn for transaction in transactions])

    async def _mine(self, *, blocks: int) -> None:
        await self.chain.mine(blocks)

    async def _reorganise(self, *, depth: int, reinclusion_chance: float, seed: int) -> None:
        replaced = await self.chain.reorganise(depth, reinclusion_chance=reinclusion_chance, rng=random.Random(seed))
        self.steps_taken[-1] += f": {replaced} blocks"

    async def _pass_days(self, *, days: int) -> None:
        await self.chain.pass_days(days)

    async def _set_faults(self, *, at: int, endpoint: int, profile: str, chance: float, seed: int) -> None:
        self.hosts[at].nodes[endpoint].set_fault_profile(str(seed), chance, profile)

    async def _go_down(self, *, at: int, endpoint: int) -> None:
        self.hosts[at].nodes[endpoint].go_down()

    async def _start(
        self, *, at: int, batch_blocks: int, cancel_at: int | None, suspend_at: int | None, shares_lease: bool
    ) -> None:
        """Start a listener on this host. It takes the lease over, or by mistake runs under the same lease as another."""
        host = self.hosts[at]
        await host.stop()
        held = next((other.lease for other in self.hosts if other.lease is not None and other is not host), None)
        if shares_lease and held is not None:
            host.lease = held
            self.steps_taken[-1] += ": the same lease"
        else:
            await host.take_lease()
        await host.start(batch_blocks=batch_blocks, cancel_at=cancel_at, suspend_at=suspend_at)

    async def _start_both(self, *, batch_blocks: int, shares_lease: bool, actions: int, seed: int) -> None:
        """Start a listener on every host, so that all see the same final blocks at the same time.

        Each takes the lease over from the one before, or by mistake all run under the same lease.
        """
        for host in self.hosts:
            await host.stop()
        for index, host in enumerate(self.hosts):
            if shares_lease and index > 0:
                host.lease = self.hosts[0].lease
            else:
                await host.take_lease()
            await host.start(batch_blocks=batch_blocks)
            await self._wait_requests(requests=4)
        await self._act(actions=actions, seed=seed)
        await self.chain.mine(FINAL_DEPTH)
        await self._wait_requests(requests=20)

    async def _stop(self, *, at: int) -> None:
        await self.hosts[at].stop()

    async def _resume(self, *, at: int) -> None:
        self.hosts[at].resume()

    async def _wait_requests(self, *, requests: int) -> None:
        """Wait until the listeners have made this many requests, or all are idle."""
        made = sum(host.requests for host in self.hosts)
        target, quiet = made + requests, 0
        while made < target and quiet < _QUIET_CHECKS:
            await asyncio.sleep(0.01)
            before, made = made, sum(host.requests for host in self.hosts)
            quiet = quiet + 1 if made == before else 0

    async def _recover(self) -> None:
        """End all faults, stop every listener, and make every block final. Then the next listener catches up."""
        for host in self.hosts:
            for node in host.nodes:
                node.set_fault_profile("no faults", 0.0)
            await host.stop()
        final = await self.chain.finalize_all()
        next_host = self.hosts[0]
        await next_host.take_lease()
        await next_host.start(batch_blocks=200)
        await next_host.wait_until_recorded(final)
        await next_host.stop()
