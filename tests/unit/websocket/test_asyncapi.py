"""Tests of the AsyncAPI document: it is the committed one, and its client messages are those that the parser takes."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.support.paths import DOCS

from paimon.gateway.websocket import protocol
from paimon.gateway.websocket.asyncapi import asyncapi_document, asyncapi_reference
from paimon.gateway.websocket.messages import CLIENT_MESSAGES, LIVE_MESSAGES, SERVER_MESSAGES
from paimon.gateway.websocket.protocol import InvalidMessage, LiveChannel

pytestmark = pytest.mark.unit

DOCUMENT: Final[dict[str, Any]] = asyncapi_document()
NAMES: Final = st.sampled_from([*LiveChannel]).map(str)
MESSAGES: Final = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["auth", "subscribe", "unsubscribe", "ping", "pong", "Auth", None, 1]),
        "token": st.text(max_size=5) | st.none() | st.integers(),
        "channels": st.lists(NAMES | st.sampled_from(["fund", "", "fund:nav "]), max_size=3) | NAMES | st.none(),
        "extra": st.booleans(),
    },
)
PARSED: Final = {
    protocol.Auth: "Auth",
    protocol.Subscribe: "Subscribe",
    protocol.Unsubscribe: "Unsubscribe",
    protocol.Ping: "Ping",
}


def is_valid(message: Any, name: str) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(message))


def test_committed_document_matches_code() -> None:
    assert (DOCS / "reference" / "asyncapi.json").read_text(encoding="utf-8") == asyncapi_reference(), "run `make reference`"


@given(MESSAGES)
def test_parser_takes_exactly_the_documented_messages(message: dict[str, Any]) -> None:
    documented = {model.__name__ for model in CLIENT_MESSAGES if is_valid(message, model.__name__)}
    try:
        parsed = {PARSED[type(protocol.parse(json.dumps(message)))]}
    except InvalidMessage:
        parsed = set()
    assert parsed == documented


def test_every_message_and_channel_is_in_an_operation() -> None:
    """A generated client has a function for each operation; what is in none is not there for it."""
    used = {
        reference["$ref"].rsplit("/", 1)[1]
        for operation in DOCUMENT["operations"].values()
        for reference in [*operation["messages"], *operation.get("reply", {}).get("messages", ())]
    }
    assert used == {model.__name__ for model in (*CLIENT_MESSAGES, *SERVER_MESSAGES, *LIVE_MESSAGES.values())}
    assert used == DOCUMENT["channels"]["live"]["messages"].keys() == DOCUMENT["components"]["messages"].keys()
    assert LIVE_MESSAGES.keys() == set(LiveChannel)


def test_every_close_code_is_described() -> None:
    description = DOCUMENT["channels"]["live"]["description"]
    assert [code for code in protocol.CloseCode if str(code.value) not in description] == []
