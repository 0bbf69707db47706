"""What a WebSocket client may say, and how the hub treats those who listen and those who do not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.gateway.websocket.hub import Client, Hub
from paimon.gateway.websocket.protocol import Auth, InvalidMessage, LiveChannel, Ping, Subscribe, Unsubscribe, parse

pytestmark = pytest.mark.unit


def test_every_message_of_the_protocol_is_understood() -> None:
    channels = frozenset({LiveChannel.APPROVAL_NEW})
    assert parse('{"type":"auth","token":"t"}') == Auth("t")
    assert parse('{"type":"subscribe","channels":["approval:new"]}') == Subscribe(channels)
    assert parse('{"type":"unsubscribe","channels":["approval:new"]}') == Unsubscribe(channels)
    assert parse('{"type":"ping"}') == Ping()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"type":"auth"}',
        '{"type":"auth","token":1}',
        '{"type":"subscribe","channels":"approval:new"}',
        '{"type":"subscribe","channels":["everything"]}',
        '{"type":"subscribe","channels":[["approval:new"]]}',
        '{"type":"dance"}',
    ],
)
def test_anything_else_is_refused_with_words(text: str) -> None:
    with pytest.raises(InvalidMessage, match=r"message is|no channel"):
        parse(text)


@given(st.text())
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    with suppress(InvalidMessage):
        parse(text)


async def test_a_message_reaches_subscribers_only_and_in_order() -> None:
    hub, listening, other = Hub(), Client(10), Client(10)
    listening.channels = frozenset({LiveChannel.APPROVAL_NEW})
    hub.join(listening)
    hub.join(other)
    hub.publish(LiveChannel.APPROVAL_NEW, "first")
    hub.publish(LiveChannel.REDEMPTION_NEW, "not for anyone")
    hub.broadcast("second")
    assert [await listening.next(), await listening.next()] == ["first", "second"]
    assert await other.next() == "second"


async def test_a_client_that_does_not_read_is_dropped_and_costs_the_others_nothing() -> None:
    hub, slow, quick = Hub(), Client(2), Client(10)
    for client in (slow, quick):
        client.channels = frozenset(LiveChannel)
        hub.join(client)
    for number in range(5):
        hub.publish(LiveChannel.APPROVAL_NEW, str(number))
    assert slow.dropped.is_set()
    assert not quick.dropped.is_set()
    assert [await quick.next() for _ in range(5)] == ["0", "1", "2", "3", "4"]
