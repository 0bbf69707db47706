"""Collection for one scrape: one query and one read of the chain, both bounded, and cached for a moment.

Several servers scrape several processes, and anyone who finds the API's path may call it: that must not load the system.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from prometheus_client.metrics_core import Metric

from paimon.application.deployment.queries import UnknownLogs, list_unknown_logs
from paimon.application.deployment.store import find_deployment
from paimon.application.event_listener.fetch.queries import ProofSummary, read_proof_summary
from paimon.application.monitoring.chain import read_chain_heads
from paimon.application.monitoring.families import (
    chain_families,
    deployment_families,
    endpoint_families,
    figures_families,
    lag_families,
    proof_families,
    up_families,
)
from paimon.application.monitoring.figures import SystemFigures
from paimon.application.monitoring.queries import DatabaseError, query_figures, set_statement_timeout
from paimon.domain.deployment.contract_facts import Deployment
from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.sessions import Database
from paimon.settings import LowBalanceSettings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

_CACHE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Figures:
    """What one scrape reads from the database."""

    system: SystemFigures
    proof: ProofSummary
    deployment: Deployment | None
    unknown_logs: tuple[UnknownLogs, ...]


@dataclass(slots=True)
class Scraper:
    """Collector of metrics. Callers at the same time share one collection."""

    database: Database
    rpc: Rpc
    chain: ChainAdapter
    low_balance_wei: LowBalanceSettings
    timeout_seconds: float
    abis: Mapping[ContractName, ContractAbi]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _latest: tuple[float, list[Metric]] | None = None

    async def collect(self) -> list[Metric]:
        """Return the metric families, at most `_CACHE_SECONDS` old."""
        async with self._lock:
            if self._latest is None or time.monotonic() - self._latest[0] >= _CACHE_SECONDS:
                self._latest = time.monotonic(), await self._collect()
            return self._latest[1]

    async def _collect(self) -> list[Metric]:
        figures, chain_heads = await asyncio.gather(
            self._answer("database", self._read()),
            self._answer("node", read_chain_heads(self.rpc, self.chain)),
        )
        found = up_families(database=figures is not None, node=chain_heads is not None)
        found += endpoint_families(self.rpc.endpoints())
        if chain_heads is not None:
            found += chain_families(chain_heads)
        if figures is not None:
            found += figures_families(figures.system, self.low_balance_wei) + proof_families(figures.proof)
            found += deployment_families(figures.deployment, figures.unknown_logs)
        if figures is not None and chain_heads is not None:
            found += lag_families(figures.system, chain_heads)
        return found

    async def _read(self) -> _Figures:
        async with self.database.read() as session:
            await set_statement_timeout(session, self.timeout_seconds)
            return _Figures(
                await query_figures(session),
                await read_proof_summary(session, one_endpoint=self.rpc.has_one_reader),
                await find_deployment(session),
                await list_unknown_logs(session, self.abis),
            )

    async def _answer(self, source: str, question: Awaitable[Answer]) -> Answer | None:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await question
        except (DatabaseError, RpcUnavailable, RpcError, OSError, TimeoutError) as error:
            log.warning("metrics.source_unavailable", source=source, reason=f"{type(error).__name__}: {error}"[:300])
            return None
