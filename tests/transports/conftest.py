"""Servers in this process, with the names that the end-to-end tests' have: one that most tests
share, and others with settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.server import Tandem
from tests.support.in_process import InProcess, built
from tests.support.upstream import PLANTED_KEY, Upstream

Build = Callable[..., Tandem]


@pytest.fixture
def build() -> Build:
    return built


@pytest.fixture(scope="package")
def tandem() -> Tandem:
    """A server that tests only ask, of the demo provider."""
    return built()


@pytest.fixture
def http(tandem: Tandem) -> FlaskClient:
    client: FlaskClient = tandem.app.test_client()
    return client


@pytest.fixture(scope="package")
def shared_server(shared_upstream: Upstream) -> Iterator[InProcess]:
    server = InProcess(OPENAI_BASE_URL=shared_upstream.url, OPENAI_API_KEY=PLANTED_KEY)
    yield server
    server.stop()


@pytest.fixture
def server(shared_server: InProcess, upstream: Upstream) -> InProcess:
    """The server most tests share; each uses sessions of its own."""
    return shared_server


def starting(upstream: Upstream) -> Iterator[Callable[..., InProcess]]:
    started: list[InProcess] = []

    def start(**settings: Any) -> InProcess:
        started.append(InProcess(**{"OPENAI_BASE_URL": upstream.url, **settings}))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def start_server(upstream: Upstream) -> Iterator[Callable[..., InProcess]]:
    """Start servers with settings of their own."""
    yield from starting(upstream)


@pytest.fixture(scope="module")
def start_one(shared_upstream: Upstream) -> Iterator[Callable[..., InProcess]]:
    """Start servers that the tests of a module share."""
    yield from starting(shared_upstream)


@pytest.fixture
def connect() -> Callable[..., Any]:
    """What `ways` ask for a socket with; there is none without a wire."""
    return pytest.fail
