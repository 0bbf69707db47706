"""What a copy of the database and a metrics port give away: nothing with which anyone signs in."""

import base64
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.support.api_client import ApiClient
from tests.support.factories.rows import VALID
from tests.support.sign_in import refresh, sign_in

from paimon.application.identity.api_keys import KEY_PREFIX
from paimon.application.identity.sessions import REFRESH_PREFIX
from paimon.composition import AppContext
from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.database.models.base import metadata
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.exposition import render_metrics

pytestmark = pytest.mark.integration

SHORTEST_SECRET: Final = 32
PIECE: Final = 16
"""So many characters of a secret in a row are no coincidence."""
KEY: Final = {"name": "a report", "permissions": ["read"], "days": 7}


@pytest.fixture
async def issued(api_client: ApiClient, database: Database) -> list[str]:
    """Sign otto in, refresh, and let him make a key and a link; return each text that is worth something to a thief."""
    async with database.write() as session:
        session.add(RiskEventRow(**VALID[RiskEventRow] | {"kind": RiskKind.NAV_UNEXPLAINED}))
    signed_in: dict[str, Any] = (await sign_in(api_client, "otto")).json()["data"]
    refreshed = (await refresh(api_client, signed_in["refreshToken"])).json()["data"]
    key = (await api_client.post("/api-keys", KEY, by="otto")).json()["data"]["key"]
    link = (await api_client.post("/risk/events/1/link", by="otto")).json()["data"]["token"]
    tokens = [each[name] for each in (signed_in, refreshed) for name in ("accessToken", "refreshToken")]
    return [*tokens, key, link]


def pieces(token: str) -> set[str]:
    """Return every piece of the secret in the forms in which a dump would have it: a part of a secret is one too."""
    return {form[start : start + PIECE] for form in forms(token) for start in range(len(form) - PIECE + 1)}


def forms(token: str) -> list[str]:
    """Return the secret in the forms in which a dump would have it: as it is, and as bytes in hexadecimal digits."""
    # What is secret follows the prefix of a refresh token or key, and the last dot of a signed one; it may hold "_" itself.
    secret = token.removeprefix(REFRESH_PREFIX).removeprefix(KEY_PREFIX).rpartition(".")[2]
    assert len(secret) >= SHORTEST_SECRET, "a shorter one would be found in any dump"
    decoded = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    return [secret, secret.encode().hex(), decoded.hex()]


async def test_copy_of_the_database_signs_no_one_in(database: Database, issued: list[str]) -> None:
    async with database.read() as session:
        dump = ""
        for table in metadata.sorted_tables:
            found = await session.scalars(text(f"SELECT to_jsonb(found)::text FROM {table.fullname} AS found"))
            dump += "\n".join(found)
    assert "otto" in dump, "the dump has what people are called"
    for token in issued:
        assert not [piece for piece in pieces(token) if piece in dump], token[:12]


async def test_metrics_name_no_person_and_no_secret(api_client: ApiClient, app_context: AppContext, issued: list[str]) -> None:
    shown = (await render_metrics(app_context.new_metrics_scraper().collect)).decode().lower()
    assert "paimon_http_requests_total" in shown
    assert "paimon_database_up 1.0" in shown
    settings = app_context.settings
    secrets = [settings.auth.token_secret, settings.redis.integrity_key, settings.database.url]
    hidden = [secret.get_secret_value() for secret in secrets if isinstance(secret, SecretStr)]
    people = [value for name in ("ada", "otto", "willa") for value in (f'"{name}"', api_client.accounts.address(name))]
    for value in (*hidden, *people, *issued):
        assert value.lower() not in shown, value[:12]
