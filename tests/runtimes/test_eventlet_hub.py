"""The hub of the eventlet runtime, with real sockets, in a thread of its own as hubs are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from app.runtimes.eventlet.runtime import EventletRuntime

Body = Callable[[EventletRuntime, socket.socket, socket.socket], Any]


def in_hub(body: Body) -> Any:
    """Run `body` in a green task of a new thread, with both ends of a connection; return what it
    returns."""
    from eventlet.greenio import GreenSocket

    found: list[Any] = []

    def thread() -> None:
        runtime = EventletRuntime()
        near, far = socket.socketpair()
        with closing(near), closing(far):
            try:
                found.append(body(runtime, GreenSocket(near), far))
            except BaseException as error:
                found.append(error)

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join(20)
    assert found, "it hangs"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def test_reads_what_comes_and_then_the_end() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[bytes]:
        reader = runtime.reader_of(near)
        assert reader is not None
        for piece in (b"one", b"two"):
            runtime.call_soon(lambda piece=piece: far.sendall(piece))  # type: ignore[misc]
        got = [reader.recv(100)]
        runtime.call_soon(lambda: far.sendall(b"three"))
        got.append(reader.recv(100))
        runtime.call_soon(lambda: far.shutdown(socket.SHUT_WR))
        got.append(reader.recv(100))
        reader.close()
        return got

    assert in_hub(body) == [b"onetwo", b"three", b""]


def test_more_than_one_read_takes_is_not_waited_for() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[bytes]:
        reader = runtime.reader_of(near)
        assert reader is not None
        far.sendall(b"abcdefg")
        return [reader.recv(3), reader.recv(3), reader.recv(3)]

    assert in_hub(body) == [b"abc", b"def", b"g"]


def test_what_comes_while_the_task_does_something_else_is_there_afterwards() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[bytes]:
        reader = runtime.reader_of(near)
        assert reader is not None
        runtime.call_soon(lambda: far.sendall(b"first"))
        got = [reader.recv(100)]
        far.sendall(b"second")
        runtime.sleep(0)  # the hub finds the connection ready, and nobody who waits for it
        runtime.sleep(0)
        got.append(reader.recv(100))
        runtime.call_soon(lambda: far.sendall(b"third"))
        got.append(reader.recv(100))
        return got

    assert in_hub(body) == [b"first", b"second", b"third"]


def test_a_connection_that_was_let_go_has_its_own_recv_again() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[bytes]:
        reader = runtime.reader_of(near)
        assert reader is not None
        runtime.call_soon(lambda: far.sendall(b"watched"))
        got = [reader.recv(100)]
        reader.close()
        runtime.call_soon(lambda: far.sendall(b"plain"))
        got.append(near.recv(100))
        again = runtime.reader_of(near)
        assert again is not None
        runtime.call_soon(lambda: far.sendall(b"again"))
        got.append(again.recv(100))
        return got

    assert in_hub(body) == [b"watched", b"plain", b"again"]


def test_a_deadline_breaks_a_read_off_and_leaves_it_usable() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> bytes:
        reader = runtime.reader_of(near)
        assert reader is not None
        with pytest.raises(TimeoutError), runtime.deadline(0.01):
            reader.recv(100)
        runtime.call_soon(lambda: far.sendall(b"late"))
        return reader.recv(100)

    assert in_hub(body) == b"late"


def test_a_task_that_is_killed_while_it_reads_runs_its_finally() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[str]:
        left = []

        def read() -> None:
            reader = runtime.reader_of(near)
            assert reader is not None
            try:
                reader.recv(100)
            finally:
                reader.close()
                left.append("closed")

        task = runtime.spawn(read)
        runtime.sleep(0)
        task.kill()
        far.sendall(b"for nobody")
        runtime.sleep(0)
        return left

    assert in_hub(body) == ["closed"]


def test_calls_at_the_end_of_a_turn_come_in_order_and_survive_one_that_fails() -> None:
    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[int]:
        called: list[int] = []
        runtime.call_soon(lambda: called.append(1))
        runtime.call_soon(lambda: called.append(1 // 0))
        runtime.call_soon(lambda: called.append(3))
        runtime.sleep(0)  # what time brings comes before them
        assert called == []
        runtime.sleep(0)
        return called

    assert in_hub(body) == [1, 3]


def test_a_hub_that_the_environment_names_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLET_HUB", "poll")

    def body(runtime: EventletRuntime, near: socket.socket, far: socket.socket) -> list[int]:
        called: list[int] = []
        assert runtime.reader_of(near) is None
        runtime.call_soon(lambda: called.append(1))
        runtime.sleep(0)
        return called

    assert in_hub(body) == [1]
