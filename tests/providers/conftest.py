"""A model server, and the providers that their contract is tested over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.runs.ports import Provider
from tests.support.upstream import Upstream
from tests.support.wires import WIRES, Wire


@pytest.fixture
def model_server() -> Iterator[Upstream]:
    """A model server on a real socket, that does as it is told."""
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(params=WIRES.values(), ids=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def provider(wire: Wire, model_server: Upstream) -> Provider:
    return wire.provider(f"http://127.0.0.1:{model_server.port}")
