"""PostgreSQL's LISTEN and NOTIFY as the service of a bus, on connections of their own: within a
transaction that stores something NOTIFY takes a lock over the whole database."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.broker.buses.served import LOOK_S, Receiver, Sender, Sent

MOST_BYTES = 7_900  # PostgreSQL takes payloads below 8,000
ANSWER_S = 5.0
_NOTIFY = b"SELECT pg_notify(c, p) FROM unnest($1::text[], $2::text[]) AS t (c, p)"
Connect = Callable[[], Any]  # an autocommit connection of psycopg's; waits without the hub


class NotifyService:
    """Implements `Service`. Connections are made elsewhere; here libpq's own calls, none of which
    waits, are made when the socket is ready, as `select` of the runtime says."""

    name = "notify"
    most_bytes = MOST_BYTES

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def sender(self) -> Sender:
        return _Sender(self._connect())

    def receiver(self, channels: Sequence[str]) -> Receiver:
        connection = _Connection(self._connect())
        for channel in channels:
            connection.run(f'LISTEN "{channel}"'.encode())
        return _Receiver(connection)


class _Connection:
    """libpq's connection, waited for by `select`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection  # it closes what is beneath once nobody has it
        self.pq = connection.pgconn
        self.pq.nonblocking = 1

    def run(self, statement: bytes, values: Sequence[bytes] = ()) -> None:
        """Run a statement, whatever it returns. Raises OSError where it fails."""
        self.pq.send_query_params(statement, list(values))
        while self.pq.flush():
            self._wait_to_write()
        while True:
            while self.pq.is_busy():
                if not self.wait(ANSWER_S):
                    raise TimeoutError("no answer")
                self.pq.consume_input()
            result = self.pq.get_result()
            if result is None:
                return
            if result.status not in (_command_ok(), _tuples_ok()):
                raise OSError(result.error_message.decode("utf-8", "replace"))

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to read; False if nothing comes."""
        return bool(select.select([self.pq.socket], [], [], seconds)[0])

    def _wait_to_write(self) -> None:
        if not select.select([], [self.pq.socket], [], ANSWER_S)[1]:
            raise TimeoutError("nothing is taken")

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def _command_ok() -> Any:
    from psycopg.pq import ExecStatus

    return ExecStatus.COMMAND_OK


def _tuples_ok() -> Any:
    from psycopg.pq import ExecStatus

    return ExecStatus.TUPLES_OK


class _Sender:
    def __init__(self, connection: Any) -> None:
        self._connection = _Connection(connection)

    def send(self, messages: Sequence[Sent]) -> None:
        channels = _array(channel.encode() for channel, _ in messages)
        self._connection.run(_NOTIFY, (channels, _array(message for _, message in messages)))

    def close(self) -> None:
        self._connection.close()


def _array(texts: Iterable[bytes]) -> bytes:
    """Return a value of text[] as PostgreSQL writes it."""
    quoted = [b'"%s"' % one.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for one in texts]
    return b"{%s}" % b",".join(quoted)


class _Receiver:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def receive(self) -> Iterable[Sent]:
        pq = self._connection.pq
        if self._connection.wait(LOOK_S):
            pq.consume_input()
        else:
            self._connection.run(b"SELECT 1")  # raises where the connection is dead
        found: list[Sent] = []
        while (told := pq.notifies()) is not None:
            found.append((told.relname.decode(), told.extra))
        return found

    def close(self) -> None:
        self._connection.close()
