"""Receivers of notifications that speak each channel's own protocol: one HTTP server for all services, and a mail server.

The HTTP server knows the paths and the answers of Slack's incoming webhooks, Discord's webhooks, Telegram's Bot API,
PagerDuty's Events API v2, and a receiver that checks the signature of Standard Webhooks. Each can be told to answer otherwise,
or not at all.
"""

import asyncio
import base64
import email.policy
import hashlib
import hmac
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of a test, 32 bytes long").decode()
ROUTING_KEY = "R" * 32
Answer = Callable[[], web.Response]


@dataclass
class Receivers:
    """What each service got, and how it answers. A service in `silent` keeps the connection and never answers."""

    port: int = 0
    smtp_port: int = 0
    got: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    mails: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    mail_answer: str | None = None
    silent: set[str] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    held: int = 0
    notes_before_silence: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def incidents(self) -> set[str]:
        """Return the keys of PagerDuty's open incidents: it keeps one for each key."""
        found: set[str] = set()
        for event in self.got["pagerduty"]:
            (found.add if event["event_action"] == "trigger" else found.discard)(event["dedup_key"])
        return found

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self.arrived:
            await self.arrived.wait_for(condition)

    async def _note(self, service: str, message: dict[str, Any]) -> None:
        async with self.arrived:
            self.got[service].append(message)
            self.arrived.notify_all()

    async def _answer(self, service: str, message: dict[str, Any], usual: web.Response) -> web.Response:
        if service in self.silent:
            if self.notes_before_silence:
                await self._note(service, message)
            async with self.arrived:
                self.held += 1
                self.arrived.notify_all()
            await self.released.wait()
            return web.Response(status=503)
        if (answer := self.answers.get(service)) is not None and (found := answer()).status >= 300:
            return found
        await self._note(service, message)
        return usual

    async def slack(self, request: web.Request) -> web.Response:
        message = await request.json()
        if not isinstance(message.get("text"), str) or not message["text"]:
            return web.Response(status=400, text="no_text")
        return await self._answer(request.match_info["name"], message, web.Response(text="ok"))

    async def discord(self, request: web.Request) -> web.Response:
        message = await request.json()
        if not 1 <= len(message["content"]) <= 2_000 or message["allowed_mentions"] != {"parse": []}:
            return web.json_response({"content": ["Must be 2000 or fewer in length."]}, status=400)
        assert request.query["wait"] == "true"
        return await self._answer("discord", message, web.json_response({"id": "1180000000000000000"}))

    async def telegram(self, request: web.Request) -> web.Response:
        message = await request.json()
        if request.match_info["token"] != "123:token":
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        usual = web.json_response({"ok": True, "result": {"message_id": 42}})
        return await self._answer("telegram", message, usual)

    async def pagerduty(self, request: web.Request) -> web.Response:
        event = await request.json()
        is_known = event["routing_key"] == ROUTING_KEY and event["event_action"] in ("trigger", "acknowledge", "resolve")
        payload = event.get("payload", {})
        if event.get("event_action") == "trigger":
            is_known &= 1 <= len(payload["summary"]) <= 1_024 and payload["severity"] in ("critical", "warning")
        if not is_known or len(event["dedup_key"]) > 255:
            return web.json_response({"status": "invalid event", "message": "Event object is invalid"}, status=400)
        usual = web.json_response({"status": "success", "dedup_key": event["dedup_key"]}, status=202)
        return await self._answer("pagerduty", event, usual)

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        secret = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        if not hmac.compare_digest(request.headers["webhook-signature"], expected):
            return web.Response(status=401, text="wrong signature")
        message = {"id": request.headers["webhook-id"], **(await request.json())}
        return await self._answer("webhook", message, web.Response(status=204))

    async def heartbeat(self, _request: web.Request) -> web.Response:
        return await self._answer("heartbeat", {}, web.Response(status=204))

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:
        if self.mail_answer is not None:
            return self.mail_answer
        assert isinstance(envelope.content, bytes)
        mail = BytesParser(policy=email.policy.default).parsebytes(envelope.content)
        async with self.arrived:
            self.mails.append(mail)
            self.arrived.notify_all()
        return "250 OK"


@asynccontextmanager
async def running_receivers() -> AsyncIterator[Receivers]:
    """Run both servers on free ports of the loopback."""
    receivers = Receivers()
    app = web.Application()
    app.router.add_post("/slack/{name}", receivers.slack)
    app.router.add_post("/api/webhooks/1/token", receivers.discord)
    app.router.add_post("/bot{token}/sendMessage", receivers.telegram)
    app.router.add_post("/v2/enqueue", receivers.pagerduty)
    app.router.add_post("/hook", receivers.webhook)
    app.router.add_post("/heartbeat", receivers.heartbeat)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receivers.port = runner.addresses[0][1]
    mail_server = await asyncio.get_running_loop().create_server(lambda: SMTP(receivers, enable_SMTPUTF8=True), "127.0.0.1", 0)
    receivers.smtp_port = mail_server.sockets[0].getsockname()[1]
    try:
        yield receivers
    finally:
        receivers.released.set()
        mail_server.close()
        await runner.cleanup()


def notification_file(folder: Path, receivers: Receivers, routes: str, *, person: str | None = None) -> Path:
    """Write a file with a channel of each kind, each with its secret in a file of its own, and the routes."""
    secrets = {
        "slack": f"{receivers.url}/slack/slack",
        "manager": f"{receivers.url}/slack/manager",
        "discord": f"{receivers.url}/api/webhooks/1/token",
        "telegram": "123:token",
        "pagerduty": ROUTING_KEY,
        "webhook": WEBHOOK_SECRET,
        "apprise": f"json://127.0.0.1:{receivers.port}/slack/apprise",
    }
    for name, secret in secrets.items():
        (folder / name).write_text(secret + "\n")
    own = f'person = "{person}"' if person else ""
    path = folder / "notifications.toml"
    path.write_text(f"""
[smtp]
host = "127.0.0.1"
port = {receivers.smtp_port}
sender = "fund@example.org"
security = "none"

[[channels]]
name = "slack"
kind = "slack"
url_file = "{folder}/slack"
fallback = "mail"
allow_private = true

[[channels]]
name = "manager"
kind = "slack"
url_file = "{folder}/manager"
language = "zh-CN"
allow_private = true

[[channels]]
name = "discord"
kind = "discord"
url_file = "{folder}/discord"
allow_private = true

[[channels]]
name = "telegram"
kind = "telegram"
token_file = "{folder}/telegram"
chat_id = "7"
url = "{receivers.url}"
allow_private = true

[[channels]]
name = "pagerduty"
kind = "pagerduty"
routing_key_file = "{folder}/pagerduty"
url = "{receivers.url}/v2/enqueue"
allow_private = true

[[channels]]
name = "webhook"
kind = "webhook"
url = "{receivers.url}/hook"
secret_file = "{folder}/webhook"
allow_private = true

[[channels]]
name = "mail"
kind = "email"
to = "ines@example.org"
{own}

{routes}
""")
    return path
