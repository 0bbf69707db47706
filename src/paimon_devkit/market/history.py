"""Months of the fund's life in a minute: many actions a block, blocks on demand, chain time set block by block.

The market runs on its predictions and looks at the chain again once in a while, and whenever something reverted. For a
given chain state, seed and config the history is the same, block for block, as long as nobody else acts.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from paimon_devkit.market.actions import Action, PassTime
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.exchange import Venue
from paimon_devkit.market.executor import Stage
from paimon_devkit.market.generator import Market
from paimon_devkit.market.market_state import DAY
from paimon_devkit.market.node import MarketError, Node
from paimon_devkit.market.observer import Observer
from paimon_devkit.market.setup import open_market
from paimon_devkit.market.summary import Summary
from paimon_devkit.stack.fund_deployment import FundAddresses, FundPeople

_LOOK_EVERY_ACTIONS: Final = 60
_LOOK_EVERY_ACTIONS_IN_COMPANY: Final = 20
_BLOCKS_UNTIL_FINAL: Final = 3

Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""


def lay_history(
    rpc_url: str,
    deployment: FundAddresses,
    people: FundPeople,
    *,
    seed: int,
    artifacts: Path,
    actions: int | None = None,
    days: int | None = None,
    alone: bool = True,
    config: MarketConfig | None = None,
    progress: Progress | None = None,
) -> Summary:
    """So many actions, or days of the fund, or both (then the days are as busy as that takes). `alone`: no house runs, so
    the market does everything that becomes due, whatever `config` leaves.

    Raises:
        MarketError: neither actions nor days are given, or the chain refuses or does not answer.
    """
    config = config or MarketConfig()
    if alone:
        config = replace(config, approvals_left_bps=0, settlements_left_bps=0)
    with Node(rpc_url) as node:
        stage = Stage(node, Venue.of(deployment, people, artifacts))
        history = History(stage, seed=seed, config=config, alone=alone)
        history.lay(actions=actions, days=days, progress=progress)
        return history.summary


class History:
    """One laying. `summary` is true at every moment, also after an interruption."""

    def __init__(self, stage: Stage, *, seed: int, config: MarketConfig, alone: bool) -> None:
        self.summary = Summary(seed)
        self._stage = stage
        self._config = replace(config, passes_time=True)
        self._look_every_actions = _LOOK_EVERY_ACTIONS if alone else _LOOK_EVERY_ACTIONS_IN_COMPANY
        self._actions_since_look = 0

    def lay(self, *, actions: int | None = None, days: int | None = None, progress: Progress | None = None) -> None:
        """So many actions, or days, or both: then the days are as busy as that takes. Raises MarketError."""
        if not actions and not days:
            raise MarketError("a history needs a length: so many actions, or so many days")
        config = replace(self._config, actions_per_day=max(actions // days, 1)) if actions and days else self._config
        with self._stage.unlocked():
            open_market(self._stage, signed=False)
            observer = Observer(self._stage.node, self._stage.venue)
            market = Market(self.summary.seed, observer.look(), config)
            began, started_at = time.monotonic(), market.world.now
            market.world.now += 1
            done = 0.0
            while done < 1:
                self._lay_block(market, observer, at_most=actions - self.summary.actions if actions else None)
                self.summary.note(self._stage, fund_seconds=market.world.now - started_at, seconds=time.monotonic() - began)
                done = self.summary.actions / actions if actions else self.summary.fund_seconds / (DAY * (days or 1))
                if progress:
                    progress(min(done, 1.0))
            for _ in range(_BLOCKS_UNTIL_FINAL):
                self._stage.node.call("evm_mine")

    def _lay_block(self, market: Market, observer: Observer, *, at_most: int | None) -> None:
        """Everything until time passes again shares a block."""
        now = market.world.now
        group: list[Action] = []
        while at_most is None or len(group) < at_most:
            action = market.next()
            if isinstance(action, PassTime):
                break
            group.append(action)
        outcomes = self._stage.perform_at(group, now)
        for outcome in outcomes:
            self.summary.count(outcome)
        self._actions_since_look += len(group)
        planned = max(market.world.now, self._stage.time + 1)
        if self._actions_since_look >= self._look_every_actions or any(each.reason for each in outcomes):
            market.world = observer.look()
            self._actions_since_look = 0
        market.world.now = planned
