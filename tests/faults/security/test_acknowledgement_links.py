"""A link acknowledges one event for one person, once, in time; to look at it changes nothing, and it gives no other right."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import TestFund
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.factories.rows import VALID
from tests.support.signed_grants import grant

from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.database.models.ops.risk import AcknowledgementLinkRow, RiskEventRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

LINK: Final = "/risk/events/1/link"


@pytest.fixture
async def token(api_client: ApiClient, database: Database) -> str:
    """Return otto's link for event 1. There is an event 2."""
    async with database.write() as session:
        values = VALID[RiskEventRow] | {"kind": RiskKind.NAV_UNEXPLAINED}
        session.add_all([RiskEventRow(**values), RiskEventRow(**values | {"subject": "another"})])
    created = await api_client.post(LINK, by="otto")
    require_example(created, "acknowledgement_link")
    return str(created.json()["data"]["token"])


async def show(api_client: ApiClient, token: str, path: str = LINK, *, by: str | None = None) -> httpx.Response:
    return await api_client.get_with(path, {"Paimon-Link": token}, by=by)


async def use(api_client: ApiClient, token: str, path: str = LINK, *, by: str | None = None) -> httpx.Response:
    return await api_client.post(f"{path}/acknowledge", {}, by=by, headers={"Paimon-Link": token})


async def statuses(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(RiskEventRow.status).order_by(RiskEventRow.id)))


async def test_link_shows_by_get_and_acts_once_by_post(api_client: ApiClient, database: Database, token: str) -> None:
    """Mail scanners open links, some of them many times and with HEAD."""
    for _ in range(3):
        shown = await show(api_client, token)
        assert shown.status_code == 200, shown.text
        await api_client.client.head(f"/api/v1{LINK}", headers={"Paimon-Link": token})
    require_example(shown, "open_acknowledgement_link")
    assert shown.json()["data"]["person"] == api_client.accounts.address("otto")
    assert await statuses(database) == ["OPEN", "OPEN"]
    used = await use(api_client, token)
    assert used.status_code == 200, used.text
    data = used.json()["data"]
    assert (data["status"], data["acknowledgedBy"], data["owner"]) == (
        "ACKNOWLEDGED",
        *[api_client.accounts.address("otto")] * 2,
    )
    for again in (await use(api_client, token), await show(api_client, token)):
        assert (again.status_code, again.json()["error"]["code"]) == (401, "AUTH_INVALID")
    assert await statuses(database) == ["ACKNOWLEDGED", "OPEN"]


async def test_link_counts_for_its_event_and_person_only(
    api_client: ApiClient, database: Database, fund: TestFund, token: str
) -> None:
    for answer in (
        await use(api_client, token, "/risk/events/2/link"),
        await use(api_client, token[:-1] + ("A" if token[-1] != "A" else "B")),
        await show(api_client, token, "/risk/events/2/link"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_INVALID")
    for answer in (await use(api_client, token, by="vera"), await show(api_client, token, by="vera")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    for path in ("/risk/events/1/acknowledge", "/risk/events/1/resolve", "/signed-actions"):
        answer = await api_client.post(path, {}, headers={"Paimon-Link": token, "Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, "it is no access token"
    assert (await api_client.post(LINK, by="willa")).status_code == 403
    assert (await api_client.post(LINK)).status_code == 401
    await grant(database, fund, "otto", None)
    assert (await use(api_client, token)).status_code == 401, "otto is no user any more"
    assert await statuses(database) == ["OPEN", "OPEN"]


async def test_link_expires_and_is_hashed_at_rest(api_client: ApiClient, database: Database, token: str) -> None:
    async with database.read() as session:
        (row,) = (await session.execute(text("SELECT to_jsonb(link)::text FROM ops.acknowledgement_links AS link"))).scalars()
    assert token not in row
    assert token.encode().hex() not in row
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("UPDATE ops.acknowledgement_links SET expires_at = now()"))
    assert (await use(api_client, token)).status_code == 401
    assert await statuses(database) == ["OPEN", "OPEN"]


async def test_resolved_event_uses_no_link_up(api_client: ApiClient, database: Database, token: str) -> None:
    assert (await api_client.sign("resolve_risk_event", "/risk/events/1", by="vera")).status_code == 200
    answer = await use(api_client, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await api_client.post(LINK, by="otto")).status_code == 409
    async with database.read() as session:
        assert (await session.scalars(select(AcknowledgementLinkRow.used_at))).one() is None


async def test_two_uses_at_once_have_one_effect(
    api_client: ApiClient, database: Database, token: str, eventually: Callable[..., Any]
) -> None:
    """Both find the link unused before either commits; the row decides.

    Without `used_at IS NULL` in the statement that uses a link up, the second use ended as a defect: the used row is evidence.
    """

    async def both_wait() -> bool:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        async with database.read() as session:
            return int((await session.execute(query)).scalar_one()) == 2

    async with database.write() as session:
        await session.execute(select(AcknowledgementLinkRow).with_for_update())
        uses = [asyncio.create_task(use(api_client, token)) for _ in range(2)]
        await eventually(both_wait)
    assert sorted([(await each).status_code for each in uses]) == [200, 401]


async def test_used_link_is_evidence(api_client: ApiClient, database: Database, token: str) -> None:
    assert (await use(api_client, token)).status_code == 200
    for statement in ("UPDATE ops.acknowledgement_links SET used_at = NULL", "DELETE FROM ops.acknowledgement_links"):
        with pytest.raises(Exception, match="is evidence"):
            async with database.write() as session:
                await session.execute(text(statement))
