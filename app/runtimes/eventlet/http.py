"""eventlet's HTTP request handler, with limits for how long a client may take.

Made from the library's class, which the runtime hands in. Besides: the library's own lines about
what is not HTTP show what was sent, tokens included; ours do not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from app.runtimes.request_time import NOT_HTTP, HeadTime, has_hung_up, log


class WholeWriter:
    """What eventlet's server writes answers to: each write goes out whole, and at once.

    Its own is a buffer that is flushed after each write, over three layers that each try to wait.
    """

    closed = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._send = connection.fd.send  # never waits

    def write(self, data: bytes) -> None:
        """Send all of it; waits for a client that is slow to read. Raises OSError."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._connection.sendall(data[sent:])

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Send them in one write. Raises OSError."""
        self.write(b"".join(parts))

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The connection is closed by others."""
        self.closed = True


def timed_eventlet_protocol(protocol: Any, timeout: Any, seconds: float) -> type:
    """Return eventlet's HttpProtocol with `seconds` for a head, and for a body that nobody reads;
    `timeout` is eventlet's."""

    class Timed(protocol):  # type: ignore[misc]
        close_connection: bool

        def setup(self) -> None:
            super().setup()
            self.wfile = WholeWriter(self.connection)
            self.head = HeadTime(seconds)

        def _read_request_line(self) -> Any:
            self.connection.settimeout(None)  # the library's is for writing
            with suppress(OSError), timeout(self.head.wait_s, False):
                if not self.rfile.closed and self.rfile.peek(1):
                    self.head.begin()
            if self.head.has_begun:
                with timeout(self.head.left_s(), False):
                    return super()._read_request_line()
            return ""

        def parse_request(self) -> bool:
            with timeout(self.head.left_s(), False):
                parsed = bool(super().parse_request())
                self.head.end()
                return parsed
            self.close_connection = True
            return False

        def get_environ(self) -> Any:
            environ = super().get_environ()
            environ["tandem.has_hung_up"] = partial(has_hung_up, self.connection.fd)
            body = environ["eventlet.input"]
            discard = body.discard

            def discard_in_time() -> None:
                # ValueError: chunks that are none. The library's line would show the URL.
                with suppress(OSError, ValueError), timeout(seconds, False):
                    if not hasattr(body, "is_over"):
                        discard()
                        return
                self.close_connection = True

            body.discard = discard_in_time
            return environ

        def log_error(self, format: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: log_error has said it."""

    return Timed
