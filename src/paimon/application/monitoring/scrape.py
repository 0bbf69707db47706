"""What one scrape collects: one query, one look at the chain, both bounded, and remembered for a moment.

Several processes are scraped by several servers, and anyone who finds the API's path may ask it: the house must not feel it.
"""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from prometheus_client.metrics_core import Metric
from sqlalchemy.exc import SQLAlchemyError

from paimon.application.event_listener.fetch.range_proofs import ProofStanding, proof_standing
from paimon.application.monitoring.chain import look_at_chain
from paimon.application.monitoring.families import (
    chain_families,
    endpoint_families,
    figures_families,
    lag_families,
    proof_families,
    up_families,
)
from paimon.application.monitoring.figures import Figures, figures_in, limit_time
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import Rpc, RpcError, RpcUnavailable
from paimon.infrastructure.database.sessions import Database
from paimon.settings import LowBalanceSettings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

_REMEMBERED_SECONDS: Final = 1.0


@dataclass(slots=True)
class Scraper:
    """Asked by many at once, it looks once."""

    database: Database
    rpc: Rpc
    chain: ChainAdapter
    low_balance_wei: LowBalanceSettings
    timeout_seconds: float
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _latest: tuple[float, list[Metric]] | None = None

    async def collect(self) -> list[Metric]:
        async with self._turn:
            if self._latest is None or time.monotonic() - self._latest[0] >= _REMEMBERED_SECONDS:
                self._latest = time.monotonic(), await self._collect()
            return self._latest[1]

    async def _collect(self) -> list[Metric]:
        figures, look = await asyncio.gather(
            self._answer("database", self._read()),
            self._answer("node", look_at_chain(self.rpc, self.chain)),
        )
        found = up_families(database=figures is not None, node=look is not None)
        found += endpoint_families(self.rpc.endpoints())
        if look is not None:
            found += chain_families(look)
        if figures is not None:
            found += figures_families(figures[0], self.low_balance_wei) + proof_families(figures[1])
        if figures is not None and look is not None:
            found += lag_families(figures[0], look)
        return found

    async def _read(self) -> tuple[Figures, ProofStanding]:
        async with self.database.read() as session:
            await limit_time(session, self.timeout_seconds)
            return await figures_in(session), await proof_standing(session)

    async def _answer(self, part: str, question: Awaitable[Answer]) -> Answer | None:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await question
        except (SQLAlchemyError, RpcUnavailable, RpcError, OSError, TimeoutError) as error:
            log.warning("metrics.part_down", part=part, reason=f"{type(error).__name__}: {error}"[:300])
            return None
