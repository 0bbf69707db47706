"""A copy of a backup signs no one in: of tokens, links and API keys the database has hashes only."""

import base64
import binascii
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from tests.support.api_client import ApiClient
from tests.support.factories.rows import VALID
from tests.support.sign_in import sign_in

from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

CHARACTERS = 16
"""So many characters of a secret in a row, in any form, are no coincidence; a hash has none of them."""


def forms(secret: str) -> Iterator[str]:
    """Yield the secret as text and as hexadecimal bytes, also decoded."""
    yield secret
    yield secret.encode().hex()
    body = secret.rpartition("_")[2] if secret.startswith("paimon_") else secret
    try:
        yield base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).hex()
    except binascii.Error:
        return


def pieces(secret: str) -> Iterator[str]:
    for form in forms(secret):
        yield from (form[start : start + CHARACTERS] for start in range(len(form) - CHARACTERS + 1))


async def dumped(database: Database) -> str:
    """Return every row of every table as text."""
    names = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('derived', 'ops')"
    async with database.read() as session:
        tables = list((await session.execute(text(names))).scalars())
        rows = [(await session.execute(text(f"SELECT CAST(row AS text) FROM {table} AS row"))).scalars() for table in tables]
    return "\n".join(row for result in rows for row in result)


async def test_backup_has_no_token_link_or_key(api_client: ApiClient, database: Database) -> None:
    signed_in = await sign_in(api_client, "otto")
    made = await api_client.post("/api-keys", {"name": "report", "permissions": ["read"], "days": 30}, by="otto")
    async with database.write() as session:
        session.add(RiskEventRow(**VALID[RiskEventRow] | {"kind": RiskKind.NAV_UNEXPLAINED}))
    linked = await api_client.post("/risk/events/1/link", by="otto")
    secrets = {
        "refresh token": signed_in.json()["data"]["refreshToken"],
        "API key": made.json()["data"]["key"],
        "link": linked.json()["data"]["token"],
    }
    rows = await dumped(database)
    assert str(signed_in.json()["data"]["user"]["name"]) in rows, "the dump has the rows"
    assert [name for name, secret in secrets.items() if any(piece in rows for piece in pieces(secret))] == []
