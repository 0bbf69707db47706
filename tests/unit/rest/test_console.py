"""The console's files over HTTP: caching, compression, the page's policy, and what only the demo's chain gets."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from tests.support.paths import ROOT

from paimon.gateway.rest.console import console_router
from paimon.gateway.rest.console.files import StaticFile
from paimon.gateway.rest.reference import _PLACEHOLDERS, create_reference_app
from paimon.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.unit

EXAMPLES = ROOT / "src/paimon/gateway/rest/examples.json"
SCRIPT = "static/main-abc123.js"
DEMO_SCRIPT = "demo/demo-def456.js"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    files = {
        "index.html": b"<html>the console",
        "demo.html": b"<html>the demo's console",
        "manifest.json": b"{}",
        SCRIPT: b"script();" * 50,
        DEMO_SCRIPT: b"wallet();",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / f"{SCRIPT}.gz").write_bytes(gzip.compress(b"script();" * 50))
    (folder / f"{SCRIPT}.br").write_bytes(b"as brotli would have it")
    (folder / "sources.sha256").write_text("no file of the console")
    return folder


def settings(**console: Any) -> Settings:
    return Settings(**_PLACEHOLDERS, console=console)


def client(folder: Path, options: Settings) -> AsyncClient:
    app = FastAPI()
    app.include_router(console_router(options, folder=folder))
    return AsyncClient(transport=ASGITransport(app), base_url="http://console")


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"chainId": 31337, "accounts": []}))
    return path


class TestPage:
    async def test_page_is_served_for_every_path_of_its_own(self, built: Path) -> None:
        web = client(built, settings())
        for path in ("/console/", "/console/redemptions/7", "/console/assets/0x1", "/console/no/such/page"):
            answer = await web.get(path)
            assert (answer.status_code, answer.text) == (200, "<html>the console"), path
            assert answer.headers["cache-control"] == "no-cache"
        assert [(await web.get(path)).headers["location"] for path in ("/", "/console")] == ["/console/", "/console/"]

    async def test_policy_allows_nothing_inline_and_no_other_site(self, built: Path) -> None:
        policy = (await client(built, settings()).get("/console/")).headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "http" not in policy
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert directives["default-src"] == "'none'"
        assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
        assert directives["frame-ancestors"] == directives["base-uri"] == directives["object-src"] == "'none'"

    async def test_unchanged_file_is_not_sent_again(self, built: Path) -> None:
        web = client(built, settings())
        tag = (await web.get("/console/")).headers["etag"]
        answer = await web.get("/console/approvals", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert (await web.get("/console/", headers={"If-None-Match": 'W/"another"'})).status_code == 200


class TestFiles:
    async def test_file_of_a_hashed_name_is_kept_for_good(self, built: Path) -> None:
        answer = await client(built, settings()).get(f"/console/{SCRIPT}", headers={"Accept-Encoding": "identity"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.text == "script();" * 50

    @pytest.mark.parametrize("path", ["static/other.js", "static/", "static/%2e%2e/%2e%2e/files.py", "demo/x.js"])
    async def test_missing_file_is_not_the_page(self, built: Path, path: str) -> None:
        answer = await client(built, settings()).get(f"/console/{path}")
        assert (answer.status_code, answer.text) == (404, '{"detail":"Not Found"}')

    @pytest.mark.parametrize(
        ("accepted", "encoding"),
        [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("GZIP;q=0.5, br;q=0", "gzip"),
            ("br;q=0.000, gzip; q=0", None),
            ("br;q=0.1", "br"),
            ("identity", None),
            ("", None),
        ],
    )
    def test_form_is_the_best_that_the_client_takes(self, accepted: str, encoding: str | None) -> None:
        file = StaticFile.of("a.js", b"plain", {"br": b"as br", "gzip": b"as gzip"})
        content = b"plain" if encoding is None else f"as {encoding}".encode()
        assert file.encoded_for(accepted) == (encoding, content)


class TestDemoWallet:
    @pytest.mark.parametrize("path", [DEMO_SCRIPT, "demo/accounts.json", "demo.html"])
    async def test_nothing_of_the_demo_is_served_elsewhere(self, built: Path, path: str) -> None:
        assert (await client(built, settings()).get(f"/console/{path}")).status_code == 404

    async def test_demo_gets_its_page_wallet_and_accounts(self, built: Path, accounts: Path) -> None:
        web = client(built, settings(demo_accounts=accounts))
        assert (await web.get("/console/redemptions")).text == "<html>the demo's console"
        assert (await web.get(f"/console/{DEMO_SCRIPT}")).text == "wallet();"
        keys = await web.get("/console/demo/accounts.json")
        assert (keys.json()["chainId"], keys.headers["cache-control"]) == (31337, "no-cache")

    def test_accounts_are_refused_on_any_other_chain(self, accounts: Path) -> None:
        chain = _PLACEHOLDERS["chain"] | {"chain_id": 56}
        with pytest.raises(
            SettingsError, match="PAIMON_CONSOLE__DEMO_ACCOUNTS is for the demo's chain 31337 only, and this is chain 56"
        ):
            load_settings(**_PLACEHOLDERS | {"chain": chain}, console={"demo_accounts": accounts})


async def test_api_without_a_built_console_says_so(tmp_path: Path) -> None:
    web = client(tmp_path / "not-built", settings())
    for path in ("/console/", "/console/redemptions", f"/console/{SCRIPT}"):
        answer = await web.get(path)
        assert answer.status_code == 503
        assert "The console was not built" in answer.text


def test_console_is_part_of_the_api_and_not_of_its_document() -> None:
    app = create_reference_app()
    assert not [path for path in app.openapi()["paths"] if "console" in path]


def test_every_component_of_health_has_a_name_in_the_console() -> None:
    """Without one, the System screen shows the word of the code."""
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    components = {component["name"] for component in examples["health"]["data"]["components"]}
    named = set(re.findall(r"'component\.(\w+)'", (ROOT / "web/src/i18n/en/status.ts").read_text(encoding="utf-8")))
    assert components - named == set()
