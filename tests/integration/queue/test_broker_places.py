"""A worker's places for items: they are free again also when Redis went away before it heard of the outcome."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kombu import Queue
from redis.exceptions import ConnectionError as RedisIsAway
from tests.support.redis import redis_settings

from paimon.gateway.tasks.app import create_celery
from paimon.settings import Settings
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration

PLACES = 2


@pytest.mark.parametrize(
    "end", [lambda message: message.ack(), lambda message: message.requeue(), lambda message: message.reject()]
)
def test_worker_has_its_places_back_when_redis_went_away(end: Callable[[Any], None], tmp_path: Path) -> None:
    """Without them it would read nothing more, not even that its connection has ended."""
    with EmbeddedRedis(tmp_path, append_only=False) as server:
        app = create_celery(Settings.model_construct(redis=redis_settings(server.url)))
        for _ in range(PLACES):
            app.send_task("paimon.anything", queue="normal")
        with app.connection() as connection, connection.channel() as channel:
            channel.basic_qos(0, PLACES, False)
            messages = [Queue("normal", channel=channel, no_declare=True).get(no_ack=False) for _ in range(PLACES)]
            assert not channel.qos.can_consume()
            server.stop()
            for message in messages:
                with pytest.raises(RedisIsAway):
                    end(message)
            assert channel.qos.can_consume()
            channel.qos.restore_at_shutdown = False  # there is no Redis to put anything back into
