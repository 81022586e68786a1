"""gevent's HTTP request handler, with limits for how long a client may take."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from app.runtimes.gevent.websockets import WebSocketInput
from app.runtimes.request_time import NOT_HTTP, HeadTime, has_hung_up, log


def timed_gevent_handler(
    handler: Any, timeout: Any, killed: type[BaseException], seconds: float, stall_s: float
) -> type:
    """Return gevent's WSGIHandler with `seconds` for a head, and for a body that nobody reads, and
    `stall_s` for a write; `timeout` and `killed` are gevent's."""

    class Timed(handler):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.head = HeadTime(seconds)

        def read_requestline(self) -> Any:
            with timeout(self.head.wait_s, False):
                if self.rfile.peek(1):
                    self.head.begin()
            if self.head.has_begun:
                with timeout(self.head.left_s(), False):
                    return super().read_requestline()
            return ""

        def read_request(self, raw_requestline: Any) -> Any:
            with suppress(OSError), timeout(self.head.left_s(), False):
                read = super().read_request(raw_requestline)
                self.head.end()
                return read
            self.close_connection = True
            return None

        def run_application(self) -> None:
            if "HTTP_UPGRADE" in self.environ:
                self.environ["wsgi.input"] = WebSocketInput(self.socket)
            else:
                self.environ["tandem.has_hung_up"] = partial(has_hung_up, self.socket._sock)
                self.socket.settimeout(stall_s)
            try:
                super().run_application()
            finally:
                self.socket.settimeout(None)
                self._discard_in_time()

        def _discard_in_time(self) -> None:
            body = self.wsgi_input
            with suppress(OSError), timeout(seconds, False):
                body._discard()
                if not body._chunked_input_error:
                    return
            self.close_connection = True
            body._chunked_input_error = True  # the library is about to discard it again

        def log_error(self, msg: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def _log_error(self, kind: Any, error: Any, traceback: Any) -> None:
            # The library's way leads past our handlers, which take secrets out.
            if not issubclass(kind, killed):
                log.error("a request failed", exc_info=(kind, error, traceback))

    return Timed
