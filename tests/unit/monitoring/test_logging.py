"""Logs of a process: one JSON object a line, and no secret in any field."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.observability.logging import hide_secrets

pytestmark = pytest.mark.unit

SECRET = "hunter2-hunter2"
URL = f"postgresql://app:{SECRET}@db.example:5432/paimon"


@pytest.mark.parametrize(
    "field",
    [
        "token_secret",
        "password",
        "PASSWORD",
        "private_key",
        "mnemonic",
        "access_token",
        "authorization",
        "raw",
        "client_secret",
    ],
)
def test_field_named_like_a_secret_is_blanked(field: str) -> None:
    assert hide_secrets(None, "info", {"event": "x", field: SECRET})[field] == "***"


@pytest.mark.parametrize(
    "value",
    [
        URL,
        f"connecting to {URL} failed, as did redis://:{SECRET}@127.0.0.1:6379/0",
        f"redis://:{SECRET}@h/0,redis://u:{SECRET}@h/1",
        # A password that contains an @, as users write it into settings without quoting.
        f"amqp://u:p@{SECRET}@h/0",
        f"postgresql://app:a/{SECRET}@h/0",
        f"postgresql://app:{SECRET}/@/x@h/0",
        f"wss://{SECRET}@node.example:443/",
        f"node https://bsc.provider.example/v1/{SECRET} is away",
        f"https://bsc.provider.example/{SECRET}/bsc/mainnet",
        f"https://rpc.provider.example:8545?apikey={SECRET}",
        f"https://rpc.provider.example/x?dkey={SECRET}&network=bsc#{SECRET}",
        {"database": {"url": URL}},
        {"settings": {"token_secret": SECRET, "nested": [{"password": SECRET}]}},
        [URL, (URL,)],
        RuntimeError(f"no route to {URL}"),
    ],
)
def test_password_is_hidden_anywhere_in_a_field(value: object) -> None:
    assert SECRET not in str(hide_secrets(None, "info", {"event": "x", "about": value}))


@given(st.dictionaries(st.sampled_from(["event", "block", "tx", "reason"]), st.one_of(st.integers(), st.text(), st.booleans())))
def test_field_without_a_secret_is_unchanged(event: dict[str, object]) -> None:
    kept = {key: value for key, value in event.items() if "://" not in str(value)}
    assert hide_secrets(None, "info", dict(kept)) == kept


PROGRAM = f"""
import logging, sys, structlog
from paimon.infrastructure.observability.logging import configure_logging

configure_logging(process="tests", json_lines=sys.argv[1] == "json")
log = structlog.get_logger("tests")
log.info("noun.past_tense", url={URL!r}, password={SECRET!r}, about={{"token_secret": {SECRET!r}, "n": 1}})
try:
    raise ConnectionError("could not reach {URL}")
except ConnectionError as error:
    log.error("noun.failed", reason=str(error), exc_info=error)
    logging.getLogger("a.library").warning("lost %s", {URL!r}, exc_info=error)
"""


def output_of(form: str) -> str:
    """Return what a process of its own logs: logging is configured once for a whole process."""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM, form], capture_output=True, text=True, check=True)
    return ran.stderr


def test_process_writes_json_lines_without_secrets() -> None:
    lines = [json.loads(line) for line in output_of("json").splitlines()]
    assert [line["event"] for line in lines[:2]] == ["noun.past_tense", "noun.failed"]
    assert lines[0]["url"] == "postgresql://app:***@db.example:5432/paimon"
    assert lines[0]["about"] == {"token_secret": "***", "n": 1}
    assert lines[2]["event"].startswith("lost postgresql://app:***@")
    assert all(line["level"] and line["timestamp"].endswith("Z") for line in lines)
    assert all("Traceback" in line["exception"] for line in lines[1:])
    assert {line["process"] for line in lines[:2]} == {"tests"}
    assert SECRET not in json.dumps(lines)


def test_text_lines_hide_secrets() -> None:
    written = output_of("text")
    assert "noun.failed" in written
    assert "\x1b" not in written, "no colours without a terminal"
    assert SECRET not in written


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://bsc.provider.example/v3/KEY", "bsc.provider.example"),
        ("https://bsc.provider.example:8545/?apikey=KEY", "bsc.provider.example:8545"),
        ("https://user:KEY@node.example/", "node.example"),
        ("wss://KEY@node.example:443/ws/KEY#KEY", "node.example:443"),
    ],
)
def test_endpoint_name_has_no_key(url: str, name: str) -> None:
    assert endpoint_name(url) == name
