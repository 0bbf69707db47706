"""Sign-in with a wallet, over REST and a real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from sqlalchemy import func, select, update
from structlog.testing import capture_logs
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import TestFund
from tests.support.signed_grants import grant

from paimon.application.identity.challenge_nonce import new_nonce
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.user.roles import UserRole
from paimon.domain.user.siwe import SignInMessage, parse, render
from paimon.infrastructure.database.models.ops.user import SignInChallengeRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration


def personal_sign(account: LocalAccount, text: str) -> str:
    return "0x" + bytes(account.sign_message(encode_defunct(text=text)).signature).hex()


async def challenge_for(api_client: ApiClient, name: str) -> str:
    answer = await api_client.post("/auth/challenge", {"address": api_client.accounts.address(name)})
    assert answer.status_code == 200, answer.text
    require_example(answer, "challenge")
    return str(answer.json()["data"]["message"])


async def test_user_signs_in_and_reads_their_role(api_client: ApiClient) -> None:
    message = await challenge_for(api_client, "vera")
    answer = await api_client.post(
        "/auth/verify", {"message": message, "signature": personal_sign(api_client.accounts.account("vera"), message)}
    )
    assert answer.status_code == 200, answer.text
    require_example(answer, "verify")
    token = answer.json()["data"]["accessToken"]
    me = await api_client.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    require_example(me, "me")
    assert me.json()["data"]["address"] == api_client.accounts.address("vera")
    assert me.json()["data"]["role"] == "admin"


async def test_unknown_wallet_gets_a_challenge_and_is_refused_after_signing(api_client: ApiClient) -> None:
    message = await challenge_for(api_client, "ines")
    body = {"message": message, "signature": personal_sign(api_client.accounts.account("ines"), message)}
    answer = await api_client.post("/auth/verify", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    again = await api_client.post("/auth/verify", body)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "AUTH_INVALID"), "a refused challenge is used up too"


async def test_challenge_works_once_when_it_is_sent_concurrently(api_client: ApiClient) -> None:
    message = await challenge_for(api_client, "vera")
    body = {"message": message, "signature": personal_sign(api_client.accounts.account("vera"), message)}
    answers = await asyncio.gather(*(api_client.post("/auth/verify", body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5


async def test_sign_in_is_refused_with_another_wallets_signature(api_client: ApiClient) -> None:
    message = await challenge_for(api_client, "vera")
    answer = await api_client.post(
        "/auth/verify", {"message": message, "signature": personal_sign(api_client.accounts.account("willa"), message)}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_INVALID")


async def test_refused_sign_in_is_a_log_line_without_the_signature(api_client: ApiClient) -> None:
    message = await challenge_for(api_client, "vera")
    signature = personal_sign(api_client.accounts.account("willa"), message)
    with capture_logs() as lines:
        for body in ({"message": message, "signature": signature}, {"message": "hello", "signature": signature}):
            await api_client.post("/auth/verify", body)
    refused = [line for line in lines if line["event"] == "user.sign_in_refused"]
    assert [line["network_address"] for line in refused] == ["127.0.0.1"] * 2
    assert all(line["reason"] for line in refused)
    assert signature[2:] not in str(lines)


@pytest.mark.parametrize("change", [{"domain": "evil.example"}, {"uri": "http://evil.example"}, {"chain_id": 1}])
async def test_sign_in_is_refused_for_another_site_or_chain(api_client: ApiClient, change: dict[str, object]) -> None:
    message = render(replace(parse(await challenge_for(api_client, "vera")), **change))  # type: ignore[arg-type]
    answer = await api_client.post(
        "/auth/verify", {"message": message, "signature": personal_sign(api_client.accounts.account("vera"), message)}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_INVALID")


async def sign_in(api_client: ApiClient, name: str, message: str) -> tuple[int, str | None]:
    """Sign the message as this user, and return the response's status and error code."""
    body = {"message": message, "signature": personal_sign(api_client.accounts.account(name), message)}
    answer = await api_client.post("/auth/verify", body)
    return answer.status_code, answer.json().get("error", {}).get("code")


def milliseconds(time: datetime) -> str:
    """Write a time as JavaScript's `toISOString`."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.123Z"


def wallets_own_message(issued: SignInMessage) -> str:
    """Write a message over the challenge as a wallet's library does: no statement, milliseconds, every optional field."""
    return (
        f"http://{issued.domain} wants you to sign in with your Ethereum account:\n{checksum(issued.address)}\n\n\n"
        f"URI: {issued.uri}\nVersion: 1\nChain ID: {issued.chain_id}\nNonce: {issued.nonce}\n"
        f"Issued At: {milliseconds(issued.issued_at)}\n"
        f"Expiration Time: {milliseconds(issued.issued_at + timedelta(minutes=2))}\n"
        f"Not Before: {milliseconds(issued.issued_at - timedelta(minutes=1))}\n"
        "Request ID: 7\nResources:\n- https://fund.example/terms\n- ipfs://Qm1"
    )


async def test_wallets_own_message_over_the_challenge_signs_in_once(api_client: ApiClient) -> None:
    message = wallets_own_message(parse(await challenge_for(api_client, "vera")))
    assert await sign_in(api_client, "vera", message) == (200, None)
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_INVALID")


@pytest.mark.parametrize(
    "change", [{"statement": None}, {"expires_at": None}, {"statement": "Hello.", "resources": ()}, {"scheme": "http"}]
)
async def test_message_signs_in_with_its_own_optional_fields(api_client: ApiClient, change: dict[str, Any]) -> None:
    message = render(replace(parse(await challenge_for(api_client, "vera")), **change))
    assert await sign_in(api_client, "vera", message) == (200, None)


async def test_address_without_its_checksum_is_refused(api_client: ApiClient) -> None:
    message = await challenge_for(api_client, "vera")
    address = api_client.accounts.address("vera")
    answer = await sign_in(api_client, "vera", message.replace(address, address.lower()))
    assert answer == (400, "VALIDATION_ERROR")


async def test_message_with_another_scheme_is_refused(api_client: ApiClient) -> None:
    message = render(replace(parse(await challenge_for(api_client, "vera")), scheme="https"))
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_INVALID")


async def test_times_of_a_message_may_be_early_or_late_by_the_tolerance(api_client: ApiClient) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    early, late = issued.issued_at + timedelta(seconds=25), issued.issued_at - timedelta(seconds=5)
    assert await sign_in(api_client, "vera", render(replace(issued, not_before=early, expires_at=late))) == (200, None)


async def test_challenge_within_the_tolerance_works_once(api_client: ApiClient) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    secret, expired_at = api_client.settings.auth.token_secret, datetime.now(UTC) - timedelta(seconds=5)
    message = render(replace(issued, nonce=new_nonce(issued.address, expires_at=expired_at, secret=secret)))
    assert await sign_in(api_client, "vera", message) == (200, None)
    assert await sign_in(api_client, "willa", await challenge_for(api_client, "willa")) == (200, None), "it deletes old records"
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_INVALID")


async def test_message_that_is_not_valid_yet_is_refused(api_client: ApiClient) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    message = render(replace(issued, not_before=issued.issued_at + timedelta(minutes=4)))
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_INVALID")
    assert await sign_in(api_client, "vera", render(issued)) == (200, None), "the challenge is not used up"


async def test_sign_in_is_refused_for_a_nonce_that_was_not_issued(api_client: ApiClient) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    message = render(replace(issued, nonce="0" * len(issued.nonce)))
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_INVALID")


async def test_challenge_of_another_wallet_is_refused(api_client: ApiClient) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    message = render(replace(issued, address=parse_address(api_client.accounts.address("willa"))))
    assert await sign_in(api_client, "willa", message) == (401, "AUTH_INVALID")
    assert await sign_in(api_client, "vera", render(issued)) == (200, None), "the challenge is not used up"


async def test_expired_message_is_refused_with_its_own_code(api_client: ApiClient) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    message = render(replace(issued, expires_at=issued.issued_at - timedelta(seconds=31)))
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_EXPIRED")


@pytest.mark.parametrize("own_expiry", [None, timedelta(days=365)])
async def test_message_cannot_prolong_its_challenge(api_client: ApiClient, own_expiry: timedelta | None) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    secret, expired_at = api_client.settings.auth.token_secret, datetime.now(UTC) - timedelta(seconds=31)
    issued = replace(issued, nonce=new_nonce(issued.address, expires_at=expired_at, secret=secret))
    message = render(replace(issued, expires_at=None if own_expiry is None else issued.issued_at + own_expiry))
    assert await sign_in(api_client, "vera", message) == (401, "AUTH_EXPIRED")


async def test_only_used_challenges_are_stored_and_only_until_they_expire(api_client: ApiClient, database: Database) -> None:
    async def stored() -> int:
        async with database.read() as session:
            return (await session.execute(select(func.count()).select_from(SignInChallengeRow))).scalar_one()

    message = await challenge_for(api_client, "vera")
    assert await stored() == 0
    assert await sign_in(api_client, "vera", message) == (200, None)
    async with database.write() as session:
        await session.execute(update(SignInChallengeRow).values(expires_at=func.now() - timedelta(seconds=1)))
    assert await sign_in(api_client, "vera", await challenge_for(api_client, "vera")) == (200, None)
    assert await stored() == 1


@pytest.mark.parametrize("position", [0, 7, 8, 23, 24, 55])
async def test_nonce_with_one_changed_digit_is_refused(api_client: ApiClient, position: int) -> None:
    issued = parse(await challenge_for(api_client, "vera"))
    digit = "0" if issued.nonce[position] != "0" else "1"
    nonce = issued.nonce[:position] + digit + issued.nonce[position + 1 :]
    assert await sign_in(api_client, "vera", render(replace(issued, nonce=nonce))) == (401, "AUTH_INVALID")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"address": "0x12"}, "address"),
        ({"address": "0xF39fd6e51aad88F6F4ce6aB8827279cffFb92266"}, "address"),
        ({"address": "0x" + "00" * 20, "also": 1}, "also"),
        ({}, "address"),
    ],
)
async def test_challenge_names_the_field_of_a_wrong_address(api_client: ApiClient, body: dict[str, object], field: str) -> None:
    answer = await api_client.post("/auth/challenge", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


@pytest.mark.parametrize("signature", ["", "0x", "0x12", "nonsense", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "zz" * 65])
async def test_sign_in_names_the_field_of_a_malformed_signature(api_client: ApiClient, signature: str) -> None:
    message = await challenge_for(api_client, "vera")
    answer = await api_client.post("/auth/verify", {"message": message, "signature": signature})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "signature"


async def test_sign_in_names_the_field_of_a_malformed_message(api_client: ApiClient) -> None:
    text = "let me in"
    answer = await api_client.post(
        "/auth/verify", {"message": text, "signature": personal_sign(api_client.accounts.account("vera"), text)}
    )
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "message")


async def test_role_change_and_removal_take_effect_at_once(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    assert (await api_client.get("/auth/me", by="vera")).json()["data"]["role"] == "admin"
    await grant(database, fund, "vera", UserRole.VIEWER)
    assert (await api_client.get("/auth/me", by="vera")).json()["data"]["role"] == "viewer"
    await grant(database, fund, "vera", None)
    answer = await api_client.get("/auth/me", by="vera")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_INVALID")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "AUTH_REQUIRED"),
        ("Basic dmVyYTpwYXNz", "AUTH_REQUIRED"),
        ("Bearer ", "AUTH_REQUIRED"),
        ("Bearer nonsense", "AUTH_INVALID"),
    ],
)
async def test_request_is_refused_without_a_valid_token(api_client: ApiClient, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await api_client.client.get("/api/v1/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_expired_token_is_refused_with_its_own_code(api_client: ApiClient) -> None:
    token = api_client.token("vera", ttl_seconds=-1)
    answer = await api_client.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_EXPIRED")
