"""The server under test: one process for most tests, with an upstream that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.support.browser import FLAGS, ChatPage, need_chromium
from tests.support.server import Server
from tests.support.sockets import SocketClient
from tests.support.upstream import PLANTED_KEY, Upstream


@pytest.fixture(scope="session")
def shared_server(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[Server]:
    # No heartbeat comes where a test counts events, however slow the machine is.
    yield from serving(tmp_path_factory.mktemp("server"), shared_upstream, HEARTBEAT_S=10)


@pytest.fixture(scope="session")
def shared_lively(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("lively"), shared_upstream, HEARTBEAT_S=0.3)


def serving(folder: Path, upstream: Upstream, **settings: Any) -> Iterator[Server]:
    """A server of that upstream, which must stop well in the end."""
    server = Server(folder, OPENAI_BASE_URL=upstream.url, OPENAI_API_KEY=PLANTED_KEY, **settings)
    yield server
    assert server.stop() == 0, server.output


@pytest.fixture
def server(shared_server: Server, upstream: Upstream) -> Server:
    """The server most tests share; each uses sessions of its own."""
    return shared_server


@pytest.fixture
def lively(shared_lively: Server, upstream: Upstream) -> Server:
    """The same with many heartbeats, for the tests that wait for them."""
    return shared_lively


@pytest.fixture
def start_server(tmp_path: Path, upstream: Upstream) -> Iterator[Callable[..., Server]]:
    """Start servers with settings of their own."""
    started: list[Server] = []

    def start(folder: str = "own", **settings: Any) -> Server:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        server = Server(path, **{"OPENAI_BASE_URL": upstream.url, **settings})
        started.append(server)
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture(scope="module")
def start_one(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[Callable[..., Server]]:
    """Start servers that the tests of a module share."""
    started: list[Server] = []

    def start(**settings: Any) -> Server:
        folder = tmp_path_factory.mktemp("module")
        started.append(Server(folder, **{"OPENAI_BASE_URL": shared_upstream.url, **settings}))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., SocketClient]]:
    """Connect Socket.IO clients to the shared server, or another."""
    clients: list[SocketClient] = []

    def to(
        other: Server | None = None, transport: str = "websocket", **options: Any
    ) -> SocketClient:
        client = SocketClient(other or server, transport, **options)
        clients.append(client)
        return client

    yield to
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; where it is missing, what needs it is skipped, or fails if it is required."""
    path = need_chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser profile of the test's own, that a page at any server may use."""
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    yield made
    made.close()


@pytest.fixture
def page(context: Any, server: Server) -> Iterator[ChatPage]:
    """The page, opened; at the end nothing may be in its console, nor was anything else asked."""
    opened = ChatPage(context, server.url).open()
    yield opened
    assert (opened.complaints, opened.foreign) == ([], [])
