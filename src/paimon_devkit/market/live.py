"""Run the market beside a running demo: one signed action every few seconds, in the blocks the chain makes by itself.

The market reads the chain before every action, since the application and other accounts act there too.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.executor import ActionExecutor
from paimon_devkit.market.generator import Market
from paimon_devkit.market.market_state import DAY
from paimon_devkit.market.observer import Observer
from paimon_devkit.market.setup import set_up_market
from paimon_devkit.market.summary import Outcome, Summary

OutcomeCallback = Callable[[Outcome], None]

LEFT_TO_APP: Final = MarketConfig(approvals_left_bps=5_000, settlements_left_bps=5_000)


class LiveMarket:
    """A market beside a running demo. `summary` is correct at every moment, also after an interruption."""

    def __init__(self, executor: ActionExecutor, *, seed: int, config: MarketConfig = LEFT_TO_APP) -> None:
        self.summary = Summary(seed)
        self._executor = executor
        self._config = replace(config, passes_time=False)

    def run(
        self,
        *,
        every_seconds: float,
        speed: int,
        on_outcome: OutcomeCallback,
        actions: int | None = None,
        days: int | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Act, then wait for `every_seconds`, in which `speed` times as much chain time passes.

        Without `actions` or `days` (of the fund) the market runs without end. Raises MarketError.
        """
        began = time.monotonic()
        set_up_market(self._executor, signed=True)
        observer = Observer(self._executor.node, self._executor.exchange)
        market = Market(self.summary.seed, observer.read_state(), self._config)
        started_at = market.state.now
        while not self._is_over(actions, days):
            outcome = self._executor.perform(market.next())
            self.summary.count(outcome)
            on_outcome(outcome)
            pause(every_seconds)
            if speed > 1:
                self._executor.node.call("evm_increaseTime", int(every_seconds * (speed - 1)))
            market.state = observer.read_state()
            self.summary.update_usage(
                self._executor, fund_seconds=market.state.now - started_at, seconds=time.monotonic() - began
            )

    def _is_over(self, actions: int | None, days: int | None) -> bool:
        return bool((actions and self.summary.actions >= actions) or (days and self.summary.fund_seconds >= days * DAY))
