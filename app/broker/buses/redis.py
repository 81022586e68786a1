"""Redis as the service of a bus: one PUBLISH a message, in one pipeline a turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from app.broker.buses.served import LOOK_S, Receiver, Sender, Sent

MOST_BYTES = 60_000
TIMEOUT_S = 2.0  # for a connection and for an answer; one that is slower counts as away


class RedisService:
    """Implements `Service`. The library's sockets are the standard library's, which a green runtime
    has replaced."""

    name = "redis"
    most_bytes = MOST_BYTES

    def __init__(self, url: str) -> None:
        self._url = url

    def _client(self) -> Any:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return redis.Redis.from_url(
            self._url,
            socket_connect_timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    def sender(self) -> Sender:
        client = self._client()
        client.ping()
        return _Sender(client)

    def receiver(self, channels: Sequence[str]) -> Receiver:
        pubsub = self._client().pubsub()
        pubsub.subscribe(*channels)
        return _Receiver(pubsub)


class _Sender:
    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, messages: Sequence[Sent]) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            for channel, message in messages:
                pipeline.publish(channel, message)
            pipeline.execute()

    def close(self) -> None:
        self._client.close()


class _Receiver:
    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    def receive(self) -> Iterable[Sent]:
        found = self._pubsub.get_message(ignore_subscribe_messages=True, timeout=LOOK_S)
        if found is None:
            self._pubsub.ping()  # raises where the connection is dead
        elif found["type"] == "message":
            return [(found["channel"].decode(), found["data"])]
        return []

    def close(self) -> None:
        self._pubsub.close()
