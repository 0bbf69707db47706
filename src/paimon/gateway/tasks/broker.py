"""The queue's transport over Redis: Celery's own, but an item counts only if a process of ours wrote it.

Every item carries the code of `infrastructure/cache/authenticity`, over the whole of it: the task's name, its arguments and
its headers. An item that is not ours is counted and dropped before anything reads it. Celery's own transport would end the
worker over an item that is no JSON, and run a task that anyone named.

    paimon:queue:<name>       list    items that wait          LPUSH, BRPOP
    paimon:unacked            hash    items being worked on    restored when their worker does not finish in time
    paimon:unacked_index      set     since when, by item

A key of these that has another Redis type holds nothing of ours; it is deleted, so that the queue works again. Messages go to
the queue that their routing key names; there are no bindings in Redis to read, no broadcasts, and no remote control.
"""

from collections.abc import Callable
from queue import Empty
from time import time
from typing import Any, Final, TypeVar

from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps, loads
from redis.exceptions import ResponseError

from paimon.domain.operations.refusals import ContentUse, RefusalReason
from paimon.infrastructure.cache.authenticity import Authenticator, ContentRefused, RefusalLog
from paimon.infrastructure.cache.availability import is_wrong_type
from paimon.settings import RedisSettings

QUEUE_PREFIX: Final = "paimon:queue:"
UNACKED: Final = "paimon:unacked"
UNACKED_INDEX: Final = "paimon:unacked_index"
UNACKED_MUTEX: Final = "paimon:unacked_mutex"

Answer = TypeVar("Answer")


class QueueItems:
    """Makes and reads the items of the queues."""

    def __init__(self, redis: RedisSettings) -> None:
        self.refusals = RefusalLog()
        self._authenticator = Authenticator(redis.integrity_key, ContentUse.QUEUE)

    def wrap(self, item: Any, place: str) -> bytes:
        return self._authenticator.wrap(dumps(item).encode(), place)

    def unwrap(self, wrapped: bytes, place: str) -> Any | None:
        """Return the item; None if no process of ours wrote it for this place."""
        try:
            return loads(self._authenticator.unwrap(wrapped, place))
        except ContentRefused as refusal:
            self.refusals.record(ContentUse.QUEUE, refusal.reason, place)
            return None


class AuthenticatedQoS(kombu_redis.QoS):  # type: ignore[misc]
    """Items that a worker has taken and not finished."""

    def append(self, message: Any, delivery_tag: str) -> None:
        queue = message.delivery_info["routing_key"]
        entry = self.channel.items.wrap([message._raw, queue], UNACKED)

        def store() -> None:
            with self.pipe_or_acquire() as pipe:
                pipe.zadd(UNACKED_INDEX, {delivery_tag: time()}).hset(UNACKED, delivery_tag, entry).execute()

        self.channel.repaired({UNACKED: b"hash", UNACKED_INDEX: b"zset"}, store)
        super(kombu_redis.QoS, self).append(message, delivery_tag)  # not Celery's own entry

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge an item, and free its place also when Redis is away.

        A worker whose places are all taken reads nothing, not even that its connection has ended: it would wait for ever. The
        item that stays in Redis is delivered again; every task is safe twice.
        """
        try:
            super().ack(delivery_tag)
        except self.channel.connection_errors:
            super(kombu_redis.QoS, self).ack(delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except self.channel.connection_errors:
            super(kombu_redis.QoS, self).ack(delivery_tag)
            raise

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Put an item that was not finished back into its queue; drop it if it is not ours."""

        def restore(pipe: Any) -> None:
            stored = pipe.hget(UNACKED, tag)
            pipe.multi()
            self._remove_from_indices(tag, pipe)
            found = None if stored is None else self.channel.items.unwrap(stored, UNACKED)
            if found is None:
                return
            message, queue = found
            message["headers"]["redelivered"] = True
            message["properties"]["delivery_info"]["redelivered"] = True
            key = QUEUE_PREFIX + queue
            (pipe.lpush if leftmost else pipe.rpush)(key, self.channel.items.wrap(message, key))

        with self.channel.conn_or_acquire(client) as connected:
            connected.transaction(restore, UNACKED)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        self.channel.repaired(
            {UNACKED: b"hash", UNACKED_INDEX: b"zset"}, lambda: super(AuthenticatedQoS, self).restore_visible(*args, **kwargs)
        )


class AuthenticatedChannel(kombu_redis.Channel):  # type: ignore[misc]
    """Queues as lists of items with our code."""

    QoS = AuthenticatedQoS
    unacked_key = UNACKED
    unacked_index_key = UNACKED_INDEX
    unacked_mutex_key = UNACKED_MUTEX
    priority_steps: tuple[int, ...] = (0,)  # one list a queue: our priorities are queues
    items: QueueItems
    from_transport_options = (*kombu_redis.Channel.from_transport_options, "items")

    def _q_for_pri(self, queue: str, _priority: int) -> str:
        return QUEUE_PREFIX + queue

    def _lookup(self, _exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        """Return the queue of a routing key: the one of its name. Celery's transport reads the bindings from Redis."""
        return [queue] if (queue := routing_key or default) else []

    def _queue_bind(self, *_binding: Any) -> None:
        """Store no binding: `_lookup` needs none."""

    def _size(self, queue: str) -> int:
        key = QUEUE_PREFIX + queue
        with self.conn_or_acquire() as client:
            return int(self.repaired({key: b"list"}, lambda: client.llen(key)))

    def _put(self, queue: str, message: dict[str, Any], **_options: Any) -> None:
        key = QUEUE_PREFIX + queue
        item = self.items.wrap(message, key)
        with self.conn_or_acquire() as client:
            self.repaired({key: b"list"}, lambda: client.lpush(key, item))

    def _get(self, queue: str) -> Any:
        key = QUEUE_PREFIX + queue
        with self.conn_or_acquire() as client:
            item = self.repaired({key: b"list"}, lambda: client.rpop(key))
        return self._message(item, key)

    def _brpop_read(self, **options: Any) -> bool:
        connection = self.client.connection
        try:
            try:
                answer = self.client.parse_response(connection, "BRPOP", **options)
            except self.connection_errors:
                connection.disconnect()
                raise
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                self._repair({QUEUE_PREFIX + queue: b"list" for queue in self.active_queues})
                raise Empty from None
            if not answer:
                raise Empty
            key, item = answer[0].decode(), answer[1]
            queue = key.removeprefix(QUEUE_PREFIX)
            self._queue_cycle.rotate(queue)
            self.connection._deliver(self._message(item, key), queue)
            return True
        finally:
            self._in_poll = None

    def _message(self, item: bytes | None, key: str) -> Any:
        """Return the message of an item. Raises Empty when there is none of ours."""
        message = None if item is None else self.items.unwrap(item, key)
        if message is None:
            raise Empty
        return message

    def repaired(self, types: dict[str, bytes], command: Callable[[], Answer]) -> Answer:
        """Run the command, once more if a key had another Redis type and was deleted."""
        try:
            return command()
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
        self._repair(types)
        return command()

    def _repair(self, types: dict[str, bytes]) -> None:
        with self.conn_or_acquire() as client:
            for key, expected in types.items():
                if client.type(key) not in (expected, b"none"):
                    self.items.refusals.record(ContentUse.QUEUE, RefusalReason.MALFORMED, key)
                    client.delete(key)


class AuthenticatedTransport(kombu_redis.Transport):  # type: ignore[misc]
    Channel = AuthenticatedChannel
