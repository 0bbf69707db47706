"""Secrets that settings name: read from files, AWS Secrets Manager (moto) and Vault (its HTTP protocol), and never shown.

A server speaks the one call that is made to Vault, as the documentation of its KV engine says: Vault itself is no package.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.unit.settings.test_settings import COMPLETE, SECRET, refusal

from paimon.settings import load_settings

pytestmark = pytest.mark.integration

URL: Final = "PAIMON_DATABASE__URL"
TOKEN: Final = "hvs.tests"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def read_url() -> str:
    """Read the settings, and return the database's URL; nothing of it shows in what a log would print."""
    settings = load_settings()
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    return settings.database.url.get_secret_value()


def test_secret_is_read_from_a_file_whole_or_by_key(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(COMPLETE[URL] + "\n")
    environment.setenv(URL, f"secret://file{tmp_path}/url")
    assert read_url() == COMPLETE[URL]
    (tmp_path / "all").write_text(json.dumps({"url": COMPLETE[URL], "number": 7}))
    environment.setenv(URL, f"secret://file{tmp_path}/all#url")
    assert read_url() == COMPLETE[URL]
    env_file = tmp_path / "settings.env"
    env_file.write_text(f"PAIMON_AUTH__TOKEN_SECRET=secret://file{tmp_path}/url\n")
    environment.delenv("PAIMON_AUTH__TOKEN_SECRET")
    assert load_settings(env_file).auth.token_secret.get_secret_value() == COMPLETE[URL]


def test_secret_that_cannot_be_had_is_named_with_the_reason(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(SECRET)
    (tmp_path / "all").write_text(json.dumps({"other": SECRET, "number": 7}))
    expected = {
        f"secret://file{tmp_path}/absent": "the file cannot be read: No such file or directory",
        f"secret://file{tmp_path}/text#url": "what the store has there is no JSON object, so it has no keys",
        f"secret://file{tmp_path}/all#url": "there is no such key with a text; keys with one: other",
        f"secret://file{tmp_path}/all#number": "there is no such key with a text; keys with one: other",
    }
    for name, reason in expected.items():
        environment.setenv(URL, name)
        assert refusal() == [f"  {URL}: {name} cannot be had: {reason}"]
    for malformed in ("secret://gcp/a#b", "secret://aws/", "secret://"):
        environment.setenv(URL, malformed)
        (line,) = refusal()
        assert "write secret://STORE/NAME#KEY, STORE one of file, aws, vault" in line


def test_secret_has_to_be_what_the_setting_needs(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"mysql://{SECRET}")
    environment.setenv(URL, f"secret://file{tmp_path}/url")
    assert refusal() == [f"  {URL}: must be a URL that starts with postgresql+psycopg:// or postgresql://"]


def test_setting_that_is_shown_takes_no_secret(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The API shows such settings: a secret in one would be seen."""
    (tmp_path / "domain").write_text(SECRET)
    environment.setenv("PAIMON_AUTH__DOMAIN", f"secret://file{tmp_path}/domain")
    assert refusal() == ["  PAIMON_AUTH__DOMAIN: is shown to users, so it takes no secret: write the value itself"]


@pytest.fixture(scope="module")
def secrets_manager() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_secrets_are_read_from_aws_secrets_manager(environment: pytest.MonkeyPatch, secrets_manager: str) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": secrets_manager,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        environment.setenv(name, value)
    client = boto3.client("secretsmanager")
    made = client.create_secret(Name="prod/paimon", SecretString=json.dumps({"url": COMPLETE[URL], "token": SECRET}))
    client.create_secret(Name="binary", SecretBinary=b"\x00")
    environment.setenv("PAIMON_AUTH__TOKEN_SECRET", f"secret://aws/{made['ARN']}#token")
    environment.setenv(URL, "secret://aws/prod/paimon#url")
    assert read_url() == COMPLETE[URL]
    assert load_settings().auth.token_secret.get_secret_value() == SECRET
    for name, reason in {
        "absent": "AWS Secrets Manager refused it: ResourceNotFoundException",
        "binary": "the secret in AWS Secrets Manager is binary, not a text",
    }.items():
        environment.setenv(URL, f"secret://aws/{name}")
        assert refusal() == [f"  {URL}: secret://aws/{name} cannot be had: {reason}"]
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (_, line) = refusal()
    assert line.endswith("AWS Secrets Manager cannot be asked: EndpointConnectionError")


@dataclass
class Vault:
    """A KV engine of version 2 at `kv`, which answers one token."""

    url: str = ""
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def answer(self, path: str, token: str | None, namespace: str | None) -> tuple[int, Any]:
        self.requests.append(path)
        if token != TOKEN or namespace not in (None, "funds"):
            return 403, {"errors": ["permission denied"]}
        if path == "/v1/moved/data/away":
            return 307, {}
        found = self.data.get(path)
        return (404, {"errors": []}) if found is None else (200, {"data": {"data": found, "metadata": {"version": 1}}})


@pytest.fixture
def vault(environment: pytest.MonkeyPatch) -> Iterator[Vault]:
    running = Vault()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = running.answer(self.path, self.headers["X-Vault-Token"], self.headers["X-Vault-Namespace"])
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            if status == 307:
                self.send_header("Location", "/v1/kv/data/prod/paimon")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    running.url = f"http://127.0.0.1:{server.server_port}"
    environment.setenv("VAULT_ADDR", running.url)
    environment.setenv("VAULT_TOKEN", TOKEN)
    yield running
    server.shutdown()
    thread.join()
    server.server_close()


def test_secrets_are_read_from_vault_once_for_all_their_keys(
    environment: pytest.MonkeyPatch, vault: Vault, tmp_path: Path
) -> None:
    vault.data["/v1/kv/data/prod/paimon"] = {"url": COMPLETE[URL], "token": SECRET}
    environment.setenv(URL, "secret://vault/kv/prod/paimon#url")
    environment.setenv("PAIMON_AUTH__TOKEN_SECRET", "secret://vault/kv/prod/paimon#token")
    assert read_url() == COMPLETE[URL]
    assert vault.requests == ["/v1/kv/data/prod/paimon"]
    environment.setenv("VAULT_NAMESPACE", "funds")
    environment.delenv("VAULT_TOKEN")
    (tmp_path / "token").write_text(TOKEN + "\n")
    environment.setenv("VAULT_TOKEN_FILE", str(tmp_path / "token"))
    assert read_url() == COMPLETE[URL]
    assert len(vault.requests) == 2, "settings that are read again read the secrets again"


def test_vault_that_refuses_is_named_with_the_reason(environment: pytest.MonkeyPatch, vault: Vault, tmp_path: Path) -> None:
    vault.data["/v1/kv/data/prod/paimon"] = {"url": COMPLETE[URL]}

    def reason(name: str = "secret://vault/kv/prod/paimon#url") -> str:
        environment.setenv(URL, name)
        (line,) = refusal()
        return line.removeprefix(f"  {URL}: {name} cannot be had: ")

    assert reason("secret://vault/kv/prod/other#url").startswith("Vault answered 404: there is no such secret")
    assert reason("secret://vault/kv#url") == "a secret in Vault has a mount and a path: secret://vault/MOUNT/PATH#KEY"
    assert reason("secret://vault/moved/away#url") == "Vault answered 307", "the token follows no redirect"
    environment.setenv("VAULT_TOKEN", SECRET)
    assert reason().startswith("Vault answered 403: the token is not valid")
    environment.delenv("VAULT_TOKEN")
    environment.setenv("VAULT_TOKEN_FILE", str(tmp_path / "absent"))
    assert reason().startswith("there is no token: set VAULT_TOKEN")
    environment.setenv("VAULT_TOKEN", TOKEN)
    environment.setenv("VAULT_ADDR", "http://vault.example:8200")
    assert reason() == "VAULT_ADDR must be an https:// URL, or an http:// one of this machine"
    environment.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    assert reason() == "Vault cannot be asked at http://127.0.0.1:1: Connection refused"
