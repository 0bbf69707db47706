"""Rotate every key and secret as docs/operations/key-rotation.md says: the new one works, the old one is refused."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import boto3
import psycopg
import pytest
from aiohttp import ClientSession, web
from aiosmtpd.smtp import SMTP, AuthResult
from eth_account import Account
from eth_account.signers.local import LocalAccount
from psycopg import sql
from pydantic import SecretStr
from tests.support.certificates import make_certificate
from tests.support.chain.fund import TestFund
from tests.support.notification_receivers import Receivers
from tests.support.signing import LARGE, make_policy, sign_plan_document, sign_request, signer_client, transaction
from tests.support.tls_proxy import make_certificate as make_tls_certificate

from paimon.application.identity.tokens import TokenInvalid, TokenKeys, new_token
from paimon.domain.kernel.chain import Address, OnChainRole, checksum, hex0x, parse_address
from paimon.domain.kernel.units import WAD
from paimon.domain.notification.message import Occasion, Outcome, OutgoingMessage
from paimon.domain.operations.refusals import ContentUse
from paimon.domain.risk.risk_event import Severity
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import SignRequest
from paimon.gateway.signer.caller_policy import CallersTable, TlsClientTable, TlsTable
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import PlanSignerTable
from paimon.gateway.signer.policy_text import write_policy
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.cache.authenticity import Authenticator, ContentRefused
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable, SigningRefused
from paimon.infrastructure.keys.keystore import create_keystore, load_key
from paimon.infrastructure.keys.link import TlsLink
from paimon.infrastructure.notifications.heartbeat import HeartbeatFailed, send_heartbeat
from paimon.infrastructure.notifications.sender import Sender
from paimon.infrastructure.prices.http_source import fetch_quote
from paimon.infrastructure.storage.objects import ObjectStorage, StorageUnavailable
from paimon.settings import AuthSettings
from paimon.settings.notification_file import (
    AppriseSettings,
    Channel,
    DiscordSettings,
    EmailSettings,
    PagerDutySettings,
    SlackSettings,
    SmtpSettings,
    TelegramSettings,
    WebhookSettings,
)
from paimon.settings.price_sources import HttpSourceSettings
from paimon.settings.secret_stores import SecretUnavailable, forget_secrets, read_secret
from paimon_devkit.stack.accounts import ADMIN
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.fault

ROLES: Final = {
    "approver": ("RedemptionManager", OnChainRole.VIP_APPROVER_ROLE),
    "hot": ("AssetController", OnChainRole.REBALANCER_ROLE),
}


def new_keystore(folder: Path, name: str, account: LocalAccount) -> dict[str, Any]:
    """Write a keystore with a password of its own. Return what the policy's key table says of it."""
    password, keystore = folder / f"{name}.password", folder / f"{name}.json"
    password.write_text(f"another password of {name}")
    password.chmod(0o600)
    create_keystore(keystore, password, bytes(account.key), scrypt_cost=2)
    return {
        "name": name,
        "address": parse_address(account.address),
        "keystore": keystore,
        "password_file": password,
    }


def self_send(fund: TestFund, wallet: Address) -> SignRequest:
    return SignRequest(wallet, transaction(fund, "settleRedemption", 1, call=Call(wallet, b"")))


def may_act(fund: TestFund, name: str, wallet: Address) -> bool:
    """Return whether the chain lets this wallet do what the key is for."""
    if name == "hot":
        call = Call(fund.addresses.asset_controller, load_abi("AssetController").encode_call("allocateToLayer", 1, WAD))
    else:
        data = load_abi("RedemptionManager").encode_call("approveRedemption", fund.request("ines", LARGE))
        call = Call(fund.addresses.redemption_manager, data)
    try:
        fund.node.rpc.call("eth_call", {"from": checksum(wallet), "to": checksum(call.to), "data": hex0x(call.data)}, "latest")
    except DemoError:
        return False
    return True


@pytest.mark.parametrize("name", ["keeper", "approver", "hot"])
async def test_key_of_the_fund_is_replaced(fund: TestFund, tmp_path: Path, name: str) -> None:
    path = make_policy(fund, tmp_path, names=("keeper", "approver", "hot"))
    policy = load_policy(path)
    old = next(key for key in policy.keys if key.name == name)
    account = Account.create()
    new = old.model_copy(update=new_keystore(tmp_path, f"{name}-2", account))
    if role := ROLES.get(name):
        assert not may_act(fund, name, new.address)
        fund.send(ADMIN, role[0], "grantRole", role[1].id, checksum(new.address))
        assert may_act(fund, name, new.address)
    write_policy(path, policy.model_copy(update={"keys": (*policy.keys, new)}))
    async with running_signer(path, new_ledger=True):
        for key in (old, new):
            assert await signer_client(path).sign(self_send(fund, key.address)), "both work while everything moves"
    if role:
        fund.send(ADMIN, role[0], "revokeRole", role[1].id, checksum(old.address))
        assert (may_act(fund, name, old.address), may_act(fund, name, new.address)) == (False, True)
    write_policy(path, policy.model_copy(update={"keys": tuple(key for key in (*policy.keys, new) if key is not old)}))
    async with running_signer(path):
        assert await signer_client(path).sign(self_send(fund, new.address))
        with pytest.raises(SigningRefused, match="UNKNOWN_KEY"):
            await signer_client(path).sign(self_send(fund, old.address))


async def test_key_of_the_planner_is_replaced(fund: TestFund, tmp_path: Path) -> None:
    """The keys are Willa's and Inga's here; neither of them may plan."""
    path = make_policy(fund, tmp_path, names=("keeper", "approver", "hot"))
    policy = load_policy(path)
    limits = {"plan_limit": 3_000, "day_limit": 6_000}
    old, new = (
        PlanSignerTable(name=name, address=parse_address(fund.accounts.address(account)), **limits)
        for name, account in (("planner", "willa"), ("planner-2", "inga"))
    )

    def write(*planners: PlanSignerTable) -> None:
        write_policy(path, policy.model_copy(update={"plan_signers": (*policy.plan_signers, *planners)}))

    async def signs(account: str, *, nonce: int) -> str | None:
        """Ask for a call of a plan that this account signed; return the code of the refusal, or None."""
        token = bytes.fromhex(fund.asset("MMFA").address[2:])
        data = load_abi("AssetController").encode_call("purchaseAsset", token, 100 * WAD)
        call = Call(fund.addresses.asset_controller, data)
        unsigned = transaction(fund, "settleRedemption", 1, call=call, nonce=nonce, gas_limit=1_500_000)
        plan = sign_plan_document(fund, call, by=account)
        try:
            await signer_client(path).sign(replace(sign_request(fund, "hot", unsigned), plan=plan))
        except SigningRefused as refused:
            return refused.code
        return None

    first = int(fund.node.rpc.call("eth_getTransactionCount", fund.accounts.address("hot"), "latest"), 16)
    write(old)
    async with running_signer(path, new_ledger=True):
        assert await signs("willa", nonce=first) is None
        assert await signs("inga", nonce=first + 1) == "UNKNOWN_PLAN_SIGNER"
    write(old, new)
    async with running_signer(path):
        assert [await signs(account, nonce=first + 1) for account in ("willa", "inga")] == [None, None]
    write(new)
    async with running_signer(path):
        assert [await signs(account, nonce=first + 2) for account in ("willa", "inga")] == ["UNKNOWN_PLAN_SIGNER", None]


def test_password_of_a_keystore_is_replaced(tmp_path: Path) -> None:
    account = Account.create()
    old, new = new_keystore(tmp_path, "old", account), new_keystore(tmp_path, "new", account)
    for field in ("keystore", "password_file"):
        new[field].replace(old[field])
    assert checksum(load_key(old["keystore"], old["password_file"]).address) == account.address
    assert old["password_file"].read_text() == "another password of new"


async def test_certificates_of_both_sides_are_replaced(fund: TestFund, tmp_path: Path) -> None:
    made = {name: make_certificate(tmp_path, name) for name in ("server", "server-2", "worker", "worker-2")}
    table = TlsTable(
        host="127.0.0.1",
        port=free_port(),
        certificate=made["server"].path,
        private_key=made["server"].key,
        clients=tuple(
            TlsClientTable(name=name, certificate=made[name].path, sha256=made[name].sha256) for name in ("worker", "worker-2")
        ),
    )
    path = make_policy(fund, tmp_path, socket=None, callers=CallersTable(), tls=table)
    both = tmp_path / "both.crt"
    both.write_text(made["server"].path.read_text() + made["server-2"].path.read_text())
    links = [
        TlsLink(f"https://127.0.0.1:{table.port}", both, made[name].path, made[name].key) for name in ("worker", "worker-2")
    ]
    async with running_signer(path, new_ledger=True):
        for link in links:
            assert await SignerClient(link, timeout=10).health(), "both work while the worker moves"
    moved = table.model_copy(
        update={"certificate": made["server-2"].path, "private_key": made["server-2"].key, "clients": table.clients[1:]}
    )
    write_policy(path, load_policy(path).model_copy(update={"tls": moved}))
    async with running_signer(path):
        assert await SignerClient(links[1], timeout=10).health(), "the worker's file has both certificates of the signer"
        with pytest.raises(SignerUnavailable):
            await SignerClient(links[0], timeout=10).health()


def auth_settings(secret: str, *others: str) -> AuthSettings:
    """Return the settings of a replica: PAIMON_AUTH__TOKEN_SECRET and PAIMON_AUTH__OTHER_TOKEN_SECRETS."""
    return AuthSettings(
        token_secret=SecretStr(secret),
        other_token_secrets=SecretStr(",".join(others)),
        personal_data_secret=SecretStr("p" * 32),
        domain="paimon.example",
        uri="https://paimon.example",
    )


def test_access_tokens_stay_valid_while_their_secret_is_replaced() -> None:
    """The three states of a rotation, with replicas of neighbouring states side by side."""
    old, new = "o" * 32, "n" * 32
    now = datetime(2026, 1, 31, tzinfo=UTC)
    token = new_token(Address(bytes(20)), uuid4(), now=now, expires_at=now + timedelta(minutes=15))
    before, announced, moved, after = (
        TokenKeys(auth_settings(*secrets).token_secrets()) for secrets in ([old], [old, new], [new, old], [new])
    )
    for signing, verifying in itertools.permutations((before, announced), 2):
        assert verifying.decode(signing.encode(token)) == token
    for signing, verifying in itertools.permutations((announced, moved), 2):
        assert verifying.decode(signing.encode(token)) == token
    assert after.decode(moved.encode(token)) == token
    with pytest.raises(TokenInvalid):
        after.decode(announced.encode(token))
    assert [len(keys.key_set["keys"]) for keys in (before, announced, moved, after)] == [1, 2, 2, 1]


def test_redis_content_of_the_old_key_is_refused() -> None:
    old, new = (Authenticator(SecretStr(letter * 32), ContentUse.QUEUE) for letter in "on")
    with pytest.raises(ContentRefused):
        new.unwrap(old.wrap(b"content", "queue"), "queue")
    assert new.unwrap(new.wrap(b"content", "queue"), "queue") == b"content"


def test_password_of_every_database_role_is_replaced(postgres: EmbeddedPostgres, database_name: str) -> None:
    """An open session goes on; a new one needs the new password."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
        names = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'paimon\\_%' AND rolcanlogin ORDER BY 1"
        roles = [row[0] for row in admin.execute(names)]
        assert len(roles) >= 10
        for role in roles:
            was = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
            assert was is not None
            old_url = postgres.url(role, database_name).replace("+psycopg", "")
            with psycopg.connect(old_url) as session:
                try:
                    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD 'the next one'").format(sql.Identifier(role)))
                    assert session.execute("SELECT 1").fetchone() == (1,)
                    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                        psycopg.connect(old_url)
                    psycopg.connect(old_url, password="the next one").close()
                finally:
                    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), was[0]))


@dataclass
class GuardedService:
    """A service that answers requests with an admitted credential only, wherever in the request it stands."""

    url: str
    admitted: set[str]

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        sent = " ".join((str(request.url), *request.headers.values(), body))
        if request.path == "/hook":
            known = [signature_of(request, body.encode(), credential) for credential in self.admitted]
            return web.Response(status=204 if request.headers["webhook-signature"] in known else 401)
        if not any(credential in sent for credential in self.admitted):
            return web.json_response({"errors": ["permission denied"]}, status=403)
        if request.headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
            return web.json_response({"Name": "prod", "SecretString": "a secret"}, content_type="application/x-amz-json-1.1")
        if request.path.startswith("/api/webhooks"):
            return web.json_response({"id": "1180000000000000000"})
        if request.path.startswith("/bot"):
            return web.json_response({"ok": True, "result": {"message_id": 42}})
        if request.path == "/v2/enqueue":
            return web.json_response({"status": "success", "dedup_key": "a key"}, status=202)
        if request.path.startswith("/services"):
            return web.Response(text="ok")
        return web.json_response({"data": {"data": {"url": "a secret"}}, "price": "1.5"})


def webhook_secret(credential: str) -> str:
    return "whsec_" + base64.b64encode(credential.encode() * 8).decode()


def signature_of(request: web.Request, body: bytes, credential: str) -> str:
    """Sign a request as Standard Webhooks says."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(credential.encode() * 8, signed, hashlib.sha256)).decode()


@pytest.fixture
async def guarded() -> AsyncIterator[GuardedService]:
    service = GuardedService("", {"old"})
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    service.url = f"http://{host}:{port}"
    yield service
    await runner.cleanup()


def write(file: Path, text: str) -> None:
    file.write_text(text)


Uses = Callable[[], Awaitable[bool]]


async def rehearse(service: GuardedService, *, uses: Uses, replace_by: Callable[[str], None]) -> None:
    """Make the new credential, move to it, and withdraw the old one, as the page says."""
    assert await uses()
    service.admitted.add("new")
    assert await uses(), "both work while everything moves"
    replace_by("new")
    service.admitted.remove("old")
    assert await uses()
    replace_by("old")
    assert not await uses(), "the old one is refused"


def channel_of(kind: str, service: GuardedService, file: Path) -> Channel:
    common: dict[str, Any] = {"name": kind, "allow_private": True}
    match kind:
        case "slack":
            return SlackSettings(kind="slack", url_file=file, **common)
        case "discord":
            return DiscordSettings(kind="discord", url_file=file, **common)
        case "webhook":
            return WebhookSettings(kind="webhook", url=SecretStr(f"{service.url}/hook"), secret_file=file, **common)
        case "telegram":
            return TelegramSettings(kind="telegram", token_file=file, chat_id="7", url=SecretStr(service.url), **common)
        case "pagerduty":
            url = SecretStr(f"{service.url}/v2/enqueue")
            return PagerDutySettings(kind="pagerduty", routing_key_file=file, url=url, **common)
        case _:
            return AppriseSettings(kind="apprise", url_file=file, **common)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise imports it with its first service
@pytest.mark.parametrize("kind", ["slack", "discord", "telegram", "pagerduty", "webhook", "apprise"])
async def test_secret_of_a_channel_is_replaced_without_a_restart(guarded: GuardedService, tmp_path: Path, kind: str) -> None:
    """The file is read for each message, so it is replaced in one step."""
    file = tmp_path / kind
    texts = {
        "slack": f"{guarded.url}/services/%s",
        "discord": f"{guarded.url}/api/webhooks/%s",
        "apprise": f"{guarded.url.replace('http', 'json')}/services/%s",
    }
    message = OutgoingMessage(7, "a key", kind, Occasion.TEST, Severity.WARNING, "a title", "a body", "an alarm")

    def replace_by(secret: str) -> None:
        next_file = tmp_path / "next"
        next_file.write_text(webhook_secret(secret) if kind == "webhook" else texts.get(kind, "%s") % secret)
        next_file.replace(file)

    replace_by("old")
    async with Sender(None, timeout_seconds=60) as sender:

        async def uses() -> bool:
            sent = await sender.send(channel_of(kind, guarded, file), message, now=datetime(2026, 1, 31, tzinfo=UTC))
            return sent.outcome is Outcome.ACCEPTED

        await rehearse(guarded, uses=uses, replace_by=replace_by)


async def test_password_of_mail_is_replaced_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each accepted message reaches the mail server, also while both passwords work."""
    certificate = make_tls_certificate(tmp_path, host="localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    encryption = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    encryption.load_cert_chain(certificate.certificate, certificate.key)
    service = GuardedService("", {"old"})
    receivers = Receivers()

    def authenticate(*request: Any) -> AuthResult:
        return AuthResult(success=request[-1].password.decode() in service.admitted, handled=False)

    def connection() -> SMTP:
        return SMTP(receivers, authenticator=authenticate, auth_required=True, tls_context=encryption, require_starttls=True)

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "mail"
    smtp = SmtpSettings(host="localhost", port=port, sender="fund@example.org", user="fund", password_file=file)
    channel = EmailSettings(kind="email", name="mail", to="ops@example.org")
    message = OutgoingMessage(7, "a key", "mail", Occasion.TEST, Severity.WARNING, "a title", "a body", "an alarm")
    write(file, "old")
    accepted = 0
    async with server, Sender(smtp, timeout_seconds=60) as sender:

        async def uses() -> bool:
            nonlocal accepted
            sent = await sender.send(channel, message, now=datetime(2026, 1, 31, tzinfo=UTC))
            accepted += sent.outcome is Outcome.ACCEPTED
            return sent.outcome is Outcome.ACCEPTED

        await rehearse(service, uses=uses, replace_by=lambda secret: write(file, secret))
    assert len(receivers.mails) == accepted == 3


async def test_key_of_a_price_source_is_replaced_without_a_restart(guarded: GuardedService, tmp_path: Path) -> None:
    file = tmp_path / "authorization"
    file.write_text("Bearer old")
    source = HttpSourceSettings(
        kind="http", name="provider", url=SecretStr(f"{guarded.url}/price"), price_at="price", authorization_file=file
    )
    async with ClientSession() as session:

        async def uses() -> bool:
            return (await fetch_quote(session, source, timeout_seconds=60)).fault is None

        await rehearse(guarded, uses=uses, replace_by=lambda secret: write(file, f"Bearer {secret}"))


async def test_url_of_the_heartbeat_is_replaced(guarded: GuardedService) -> None:
    url = SecretStr(f"{guarded.url}/old")

    async def uses() -> bool:
        try:
            await send_heartbeat(url, timeout_seconds=60)
        except HeartbeatFailed:
            return False
        return True

    def restart_with(secret: str) -> None:
        nonlocal url
        url = SecretStr(f"{guarded.url}/{secret}")

    await rehearse(guarded, uses=uses, replace_by=restart_with)


async def test_credential_of_the_object_storage_is_replaced(guarded: GuardedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reads it when it first opens the store; the service checks who asks."""
    environment = {"AWS_ENDPOINT_URL": guarded.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-central-1"}
    for name, value in (environment | {"AWS_ACCESS_KEY_ID": "old", "AWS_SECRET_ACCESS_KEY": "a secret"}).items():
        monkeypatch.setenv(name, value)

    async def uses() -> bool:
        try:
            return await ObjectStorage("s3://evidence", timeout_seconds=60).find("root") is not None
        except StorageUnavailable:
            return False

    await rehearse(guarded, uses=uses, replace_by=lambda secret: monkeypatch.setenv("AWS_ACCESS_KEY_ID", secret))


async def test_token_of_vault_is_replaced(guarded: GuardedService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process reads it, and its secrets, once when it starts."""
    file = tmp_path / "token"
    file.write_text("old")
    monkeypatch.setenv("VAULT_ADDR", guarded.url)
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(file))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)

    async def uses() -> bool:
        forget_secrets()
        try:
            return await asyncio.to_thread(read_secret, "secret://vault/kv/prod#url") == "a secret"
        except SecretUnavailable:
            return False

    await rehearse(guarded, uses=uses, replace_by=lambda secret: write(file, secret))
    forget_secrets()


async def test_credential_of_aws_secrets_manager_is_replaced(guarded: GuardedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process asks with it once when it starts."""
    environment = {"AWS_ENDPOINT_URL": guarded.url, "AWS_DEFAULT_REGION": "eu-central-1", "AWS_SECRET_ACCESS_KEY": "a secret"}
    for name, value in (environment | {"AWS_ACCESS_KEY_ID": "old"}).items():
        monkeypatch.setenv(name, value)

    async def uses() -> bool:
        forget_secrets()
        try:
            return await asyncio.to_thread(read_secret, "secret://aws/prod") == "a secret"
        except SecretUnavailable:
            return False

    def restart_with(secret: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", secret)
        boto3.DEFAULT_SESSION = None  # what a new process has

    await rehearse(guarded, uses=uses, replace_by=restart_with)
    boto3.DEFAULT_SESSION = None
    forget_secrets()
