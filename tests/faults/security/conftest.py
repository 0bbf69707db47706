"""Fixtures of the security tests: a real API server, and what it counted."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, running_api_server
from tests.support.chain.fund import TestFund

from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


def unsigned_rows(kind: str) -> float:
    """Return how often this process has left a row of this kind out because no one who may signed it."""
    return REGISTRY.get_sample_value("paimon_unsigned_rows_total", {"kind": kind}) or 0.0


def refused_content(use: str) -> float:
    """Return how much content of this use this process has refused."""
    return sum(
        REGISTRY.get_sample_value("paimon_redis_content_refused_total", {"use": use, "reason": reason}) or 0.0
        for reason in ("forged", "stale", "malformed")
    )
