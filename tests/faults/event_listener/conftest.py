"""Fixtures of the listener's fault tests: a fund on a chain of their own, whose last 32 blocks are not final."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.chain.deep_chain import DeepChain, SpareContracts, deploy_deep_chain
from tests.support.chain.fund import TestFund

from paimon.infrastructure.database.sessions import create_engine


@pytest.fixture(scope="module")
def deployed_on_deep_chain(data_folder: Path) -> Iterator[tuple[TestFund, SpareContracts]]:
    with deploy_deep_chain(data_folder / "deep") as deployed:
        yield deployed


@pytest.fixture
async def deep_chain(deployed_on_deep_chain: tuple[TestFund, SpareContracts]) -> AsyncIterator[DeepChain]:
    fund, spare_contracts = deployed_on_deep_chain
    async with aiohttp.ClientSession() as session:
        chain = DeepChain(fund, spare_contracts, session)
        await chain.reset()
        yield chain
        await chain.undo()


@pytest.fixture
def fund(deployed_on_deep_chain: tuple[TestFund, SpareContracts]) -> TestFund:
    """Use the deep chain's fund for the settings."""
    return deployed_on_deep_chain[0]


@pytest.fixture
async def owner_engine(owner_url: str) -> AsyncIterator[AsyncEngine]:
    """Connect as the owner of the tables, as a replay needs it."""
    engine = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    yield engine
    await engine.dispose()


@pytest.fixture(autouse=True)
def quiet_logging() -> Iterator[None]:
    """Log errors only: a line per log and per fault would take longer than the tests themselves."""
    usual = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.configure(wrapper_class=usual)
