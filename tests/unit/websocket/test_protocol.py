"""Tests of the WebSocket protocol's parser, and of the hub with fast and slow clients."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.gateway.websocket.hub import Client, Hub
from paimon.gateway.websocket.protocol import Auth, InvalidMessage, LiveChannel, Ping, Subscribe, Unsubscribe, parse

pytestmark = pytest.mark.unit


def test_parser_accepts_every_message_of_the_protocol() -> None:
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
def test_parser_refuses_other_messages_with_a_reason(text: str) -> None:
    with pytest.raises(InvalidMessage, match=r"message is|no channel"):
        parse(text)


@given(st.text())
def test_parser_raises_only_invalid_message(text: str) -> None:
    with suppress(InvalidMessage):
        parse(text)


async def test_message_reaches_only_subscribers_in_order() -> None:
    hub, subscriber, other = Hub(), Client(10), Client(10)
    subscriber.channels = frozenset({LiveChannel.APPROVAL_NEW})
    hub.join(subscriber)
    hub.join(other)
    hub.publish(LiveChannel.APPROVAL_NEW, "first")
    hub.publish(LiveChannel.REDEMPTION_NEW, "without subscriber")
    hub.broadcast("second")
    assert [await subscriber.next(), await subscriber.next()] == ["first", "second"]
    assert await other.next() == "second"


async def test_slow_client_is_dropped_and_does_not_affect_others() -> None:
    hub, slow, quick = Hub(), Client(2), Client(10)
    for client in (slow, quick):
        client.channels = frozenset(LiveChannel)
        hub.join(client)
    for number in range(5):
        hub.publish(LiveChannel.APPROVAL_NEW, str(number))
    assert slow.dropped.is_set()
    assert not quick.dropped.is_set()
    assert [await quick.next() for _ in range(5)] == ["0", "1", "2", "3", "4"]
