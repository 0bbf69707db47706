"""Entries of the audit trail stay for ever, so no one may make as many as they like."""

from collections import Counter

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select
from tests.support.api_client import ApiClient

from paimon.domain.kernel.chain import checksum
from paimon.infrastructure.database.models.ops.audit import AuditEntryRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

REFUSED_ANEW = 6
"""More refusals of a minute become entries while the test runs."""


def not_recorded() -> float:
    return REGISTRY.get_sample_value("paimon_refusals_not_recorded_total") or 0.0


async def test_person_refused_without_end_does_not_fill_the_trail(api_client: ApiClient, database: Database) -> None:
    """A viewer may send 25 requests a second, and each refusal was an entry: two million a day."""
    before = not_recorded()
    for _ in range(90):
        assert (await api_client.get("/audit/roots", by="willa")).status_code == 403
    assert (await api_client.get("/audit/roots", by="otto")).status_code == 403
    async with database.read() as session:
        actors = await session.scalars(select(AuditEntryRow.actor).where(AuditEntryRow.operation == "permission.refused"))
        entries = Counter(checksum(actor) for actor in actors)
    willa, otto = (api_client.accounts.address(name) for name in ("willa", "otto"))
    assert 60 <= entries[willa] <= 60 + REFUSED_ANEW
    assert entries[otto] == 1, "another person's refusals are recorded meanwhile"
    assert not_recorded() - before == 90 - entries[willa]
