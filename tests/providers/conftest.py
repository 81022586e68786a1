"""A model server for what is special to one wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.upstream import Upstream


@pytest.fixture
def model_server() -> Iterator[Upstream]:
    """A model server on a real socket, that does as it is told."""
    server = Upstream()
    yield server
    server.close()
