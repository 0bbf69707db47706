"""Personal data over REST, the command line and a real PostgreSQL: encrypted, erased for good, read under a rotated secret."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from tests.support.api_client import AUTH, ApiClient, api_client_for, require_example, running_app
from tests.support.chain.fund import TestFund
from tests.support.sign_in import call, outcome, sign_in
from tests.support.signed_grants import grant

from paimon.application.identity.subject_key_store import PersonalDataSecretMissing, reading_cipher, rewrap_keys, writing_cipher
from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.envelope import SealedTextDamaged, SubjectCipher, WrappingKeyUnknown
from paimon.settings import AuthSettings, Settings

pytestmark = pytest.mark.integration

BROWSER: Final = "Zephyr/7.3 (of a test)"
ADDRESS: Final = "127.0.0.1"
ENCRYPTED: Final = (("sessions", "client"), ("sessions", "network_address"), ("api_keys", "last_used_from"))


async def dump(database: Database) -> bytes:
    """Return every row of `ops`, with what is stored as bytes in the clear."""
    async with database.read() as session:
        tables = await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'ops'"))
        found = b""
        for table in tables:
            for row in (await session.execute(text(f"SELECT * FROM ops.{table}"))).all():
                found += b"\n" + b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    return found


async def stored(database: Database, table: str, column: str) -> Sequence[bytes]:
    async with database.read() as session:
        query = text(f"SELECT {column} FROM ops.{table} WHERE {column} IS NOT NULL")
        return [bytes(value) for value in await session.scalars(query)]


async def use_system_as(api_client: ApiClient, name: str) -> None:
    """Sign in, and use an API key, so that all that is personal is stored."""
    signed_in = (await sign_in(api_client, name, **{"User-Agent": BROWSER})).json()["data"]
    created = await api_client.post("/api-keys", {"name": "Nightly", "permissions": ["read"], "days": 30}, by=name)
    assert (await call(api_client, "GET", "/me", created.json()["data"]["key"])).status_code == 200
    assert (await call(api_client, "GET", "/me", signed_in["accessToken"])).status_code == 200


def with_secrets(secret: str, others: str = "") -> AuthSettings:
    return AUTH.model_copy(update={"personal_data_secret": SecretStr(secret), "other_personal_data_secrets": SecretStr(others)})


async def sessions_of(api_client: ApiClient, name: str) -> list[Any]:
    answer = await api_client.get(f"/users/{api_client.accounts.address(name)}/sessions", by="ada")
    items: list[Any] = answer.json()["data"]["items"]
    return items


async def test_database_holds_nothing_personal_that_can_be_read(api_client: ApiClient, database: Database) -> None:
    await use_system_as(api_client, "otto")
    held = await dump(database)
    assert BROWSER.encode() not in held
    assert ADDRESS.encode() not in held
    assert (BROWSER, ADDRESS) in [(item["client"], item["networkAddress"]) for item in await sessions_of(api_client, "otto")]
    for table, column in ENCRYPTED:
        assert await stored(database, table, column), f"{table}.{column} was not used by this test"


async def test_former_users_data_is_erased_by_a_signed_action(
    api_client: ApiClient, database: Database, fund: TestFund
) -> None:
    otto = api_client.accounts.address("otto")
    await use_system_as(api_client, "otto")
    await use_system_as(api_client, "vera")
    refused = await api_client.sign("erase_person", f"/users/{otto}", by="ada")
    assert outcome(refused) == (409, "CONFLICT"), "who is still a user is not erased"
    await grant(database, fund, "otto", None)
    assert outcome(await api_client.sign("erase_person", f"/users/{otto}", by="vera")) == (403, "FORBIDDEN")

    erased = await api_client.sign("erase_person", f"/users/{otto}", by="ada")
    require_example(erased, "person_erased")
    shown = await sessions_of(api_client, "otto")
    assert shown, "the sessions themselves stay until their time"
    assert {(item["client"], item["networkAddress"]) for item in shown} == {(None, None)}
    assert any(item["client"] == BROWSER for item in await sessions_of(api_client, "vera")), "of another person nothing went"
    assert outcome(await api_client.sign("erase_person", f"/users/{otto}", by="ada")) == (404, "NOT_FOUND")

    async with database.read() as session:
        entries = await session.execute(
            text("SELECT actor, resource, payload FROM ops.audit_entries WHERE operation = 'user.erased'")
        )
        ((actor, resource, payload),) = entries.all()
    assert (bytes(actor), resource) == (parse_address(api_client.accounts.address("ada")), f"user/{otto.lower()}")
    assert "wrapped" not in payload


async def test_erased_person_who_comes_back_gets_a_new_key(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    otto = api_client.accounts.address("otto")
    await use_system_as(api_client, "otto")
    await grant(database, fund, "otto", None)
    assert (await api_client.sign("erase_person", f"/users/{otto}", by="ada")).status_code == 200
    await grant(database, fund, "otto", UserRole.VIEWER)
    assert (await sign_in(api_client, "otto", **{"User-Agent": BROWSER})).status_code == 200
    assert [item["client"] for item in await sessions_of(api_client, "otto")].count(BROWSER) == 1


async def test_database_refuses_an_erasure_that_no_signature_asks_for(api_client: ApiClient, database: Database) -> None:
    await use_system_as(api_client, "otto")
    erase = "UPDATE ops.subject_keys SET wrapped_key = NULL, erased_at = now(), erased_by = address"
    for statement, refusal in ((erase, "did not sign"), ("DELETE FROM ops.subject_keys", "is evidence")):
        with pytest.raises(ProgrammingError, match=refusal):
            async with database.write() as session:
                await session.execute(text(statement))


async def test_rotated_secret_reads_and_rewraps_what_the_old_one_wrapped(api_client: ApiClient, database: Database) -> None:
    await use_system_as(api_client, "otto")
    otto = parse_address(api_client.accounts.address("otto"))
    old, new = AUTH.personal_data_secret.get_secret_value(), "a new secret for tests only, 32 bytes+"
    texts = [await stored(database, *place) for place in ENCRYPTED]
    rotated, after = with_secrets(new, old), with_secrets(new)
    with pytest.raises(WrappingKeyUnknown, match="PAIMON_AUTH__OTHER_PERSONAL_DATA_SECRETS"):
        async with database.write() as session:
            await writing_cipher(session, otto, after)
    async with database.read() as session:
        before = await reading_cipher(session, otto, rotated)
    assert await rewrap_keys(database, rotated) > 0
    assert await rewrap_keys(database, rotated) == 0
    async with database.read() as session:
        assert await reading_cipher(session, otto, after) == before
    assert [await stored(database, *place) for place in ENCRYPTED] == texts, "no text is encrypted again"


async def test_api_does_not_start_without_the_secret_of_stored_data(
    api_client: ApiClient, settings: Settings, database: Database
) -> None:
    await use_system_as(api_client, "otto")
    wrong = settings.model_copy(update={"auth": with_secrets("a wrong secret for tests only, 32 bytes")})
    with pytest.raises(PersonalDataSecretMissing, match="PAIMON_AUTH__PERSONAL_DATA_SECRET"):
        async with running_app(wrong):
            pass
    right = settings.model_copy(
        update={"auth": with_secrets("the next secret for tests only, 32", AUTH.personal_data_secret.get_secret_value())}
    )
    async with running_app(right):
        pass


async def test_text_of_one_row_is_not_readable_in_another(api_client: ApiClient, database: Database) -> None:
    await use_system_as(api_client, "otto")
    otto = parse_address(api_client.accounts.address("otto"))
    async with database.read() as session:
        cipher = await reading_cipher(session, otto, AUTH)
    sealed = cipher.seal(BROWSER, "sessions/1/client")
    assert cipher.open(sealed, "sessions/1/client") == BROWSER
    damaged = bytearray(sealed)
    damaged[-1] ^= 1
    for content, place in (
        (sealed, "sessions/2/client"),
        (bytes(damaged), "sessions/1/client"),
        (sealed[:12], "sessions/1/client"),
    ):
        with pytest.raises(SealedTextDamaged):
            cipher.open(content, place)


async def test_every_replica_forgets_what_one_erases(
    api_client: ApiClient, settings: Settings, database: Database, fund: TestFund
) -> None:
    otto = api_client.accounts.address("otto")
    await use_system_as(api_client, "otto")
    async with running_app(settings) as app, api_client_for(app, settings, fund.accounts) as other:
        assert BROWSER in [item["client"] for item in await sessions_of(other, "otto")]
        await grant(database, fund, "otto", None)
        assert (await api_client.sign("erase_person", f"/users/{otto}", by="ada")).status_code == 200
        assert {item["client"] for item in await sessions_of(other, "otto")} == {None}


async def test_first_sign_ins_at_once_share_one_key(database: Database) -> None:
    newcomer = Address(b"\x77" * 20)
    all_began = asyncio.Barrier(4)

    async def first_cipher() -> SubjectCipher:
        async with database.write() as session:
            await session.execute(text("SELECT 1"))
            await all_began.wait()
            return await writing_cipher(session, newcomer, AUTH)

    first, *others = await asyncio.gather(*(first_cipher() for _ in range(4)))
    assert all(other == first for other in others)


async def test_erasure_waits_for_a_sign_in_that_is_writing(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    otto = parse_address(api_client.accounts.address("otto"))
    await grant(database, fund, "otto", None)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    async with database.write() as session:
        await writing_cipher(session, otto, AUTH)
        erasing = asyncio.create_task(api_client.sign("erase_person", f"/users/{checksum(otto)}", by="ada"))
        async with asyncio.timeout(60):
            while not await session.scalar(waiting):
                assert not erasing.done(), "the erasure did not wait"
                await asyncio.sleep(0.01)
    assert (await erasing).status_code == 200
