"""The planner with a key whose limits are no matter here."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.chain.fund import TestFund
from tests.support.scenarios.multisig import SafeHarness
from tests.support.scenarios.planning import PlannerHarness, planner_harness

from paimon.infrastructure.database.sessions import Database

UNLIMITED: Final = 10**9


@pytest.fixture
async def harness(
    safe_harness: SafeHarness, worker_database: Database, fund: TestFund, tmp_path: Path
) -> AsyncIterator[PlannerHarness]:
    opened = planner_harness(safe_harness, worker_database, fund, tmp_path, plan_limit=UNLIMITED, day_limit=UNLIMITED)
    async with opened as entered:
        yield entered
