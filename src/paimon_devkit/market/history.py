"""Generate months of the fund's history in a minute: many actions a block, blocks on demand, chain time set per block.

The market works on its predictions. It reads the chain again after a number of actions, and whenever a transaction reverted.
Chain state, seed and config determine the history block for block, as long as no other account acts.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from paimon_devkit.market.actions import Action, PassTime
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.exchange import Exchange
from paimon_devkit.market.executor import ActionExecutor
from paimon_devkit.market.generator import Market
from paimon_devkit.market.market_state import DAY
from paimon_devkit.market.node import MarketError, Node
from paimon_devkit.market.observer import Observer
from paimon_devkit.market.setup import set_up_market
from paimon_devkit.market.summary import Summary
from paimon_devkit.stack.fund_deployment import FundAccounts, FundDeployment

_REFRESH_ACTIONS: Final = 60
_REFRESH_ACTIONS_SHARED: Final = 20
_BLOCKS_UNTIL_FINAL: Final = 3

Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1."""


def generate_history(
    rpc_url: str,
    deployment: FundDeployment,
    fund_accounts: FundAccounts,
    *,
    seed: int,
    artifacts: Path,
    actions: int | None = None,
    days: int | None = None,
    exclusive: bool = True,
    config: MarketConfig | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Generate a number of actions, or of days of the fund, or both: the actions are then spread over the days.

    `exclusive` means that no application runs: the market then does everything that becomes due, despite `config`.

    Raises:
        MarketError: neither actions nor days are given, or the chain refuses or does not answer.
    """
    config = config or MarketConfig()
    if exclusive:
        config = replace(config, approvals_left_bps=0, settlements_left_bps=0)
    with Node(rpc_url) as node:
        executor = ActionExecutor(node, Exchange.of(deployment, fund_accounts, artifacts))
        history = History(executor, seed=seed, config=config, exclusive=exclusive)
        history.generate(actions=actions, days=days, progress=progress)
        return history.summary


class History:
    """One generation. `summary` is correct at every moment, also after an interruption."""

    def __init__(self, executor: ActionExecutor, *, seed: int, config: MarketConfig, exclusive: bool) -> None:
        self.summary = Summary(seed)
        self._executor = executor
        self._config = replace(config, passes_time=True)
        self._refresh_actions = _REFRESH_ACTIONS if exclusive else _REFRESH_ACTIONS_SHARED
        self._actions_since_refresh = 0

    def generate(self, *, actions: int | None = None, days: int | None = None, progress: Progress | None = None) -> None:
        """Generate a number of actions, or of days, or both: the actions are then spread over the days. Raises MarketError."""
        if not actions and not days:
            raise MarketError("a history needs a length: a number of actions, or of days")
        config = replace(self._config, actions_per_day=max(actions // days, 1)) if actions and days else self._config
        with self._executor.unlocked_accounts():
            set_up_market(self._executor, signed=False)
            observer = Observer(self._executor.node, self._executor.exchange)
            market = Market(self.summary.seed, observer.read_state(), config)
            began, started_at = time.monotonic(), market.state.now
            market.state.now += 1
            done = 0.0
            while done < 1:
                self._generate_block(market, observer, actions_max=actions - self.summary.actions if actions else None)
                self.summary.update_usage(
                    self._executor, fund_seconds=market.state.now - started_at, seconds=time.monotonic() - began
                )
                done = self.summary.actions / actions if actions else self.summary.fund_seconds / (DAY * (days or 1))
                if progress:
                    progress(min(done, 1.0))
            for _ in range(_BLOCKS_UNTIL_FINAL):
                self._executor.node.call("evm_mine")

    def _generate_block(self, market: Market, observer: Observer, *, actions_max: int | None) -> None:
        """Put all actions until the next PassTime into one block."""
        now = market.state.now
        group: list[Action] = []
        while actions_max is None or len(group) < actions_max:
            action = market.next()
            if isinstance(action, PassTime):
                break
            group.append(action)
        outcomes = self._executor.perform_at(group, now)
        for outcome in outcomes:
            self.summary.count(outcome)
        self._actions_since_refresh += len(group)
        planned = max(market.state.now, self._executor.time + 1)
        if self._actions_since_refresh >= self._refresh_actions or any(outcome.reason for outcome in outcomes):
            market.state = observer.read_state()
            self._actions_since_refresh = 0
        market.state.now = planned
