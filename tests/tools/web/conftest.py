"""What reads pages of stand-ins, which are real servers of this machine."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from app.tools.web.hosts import Hosts, Resolver
from app.tools.web.network import Http, Network, no_proxy
from app.tools.web.pages import Pages
from tests.support.web import Names


class NoHttp:
    """Nobody asks it."""

    def open(self, *given: Any) -> Any:
        """Fail."""
        raise AssertionError(given)


@pytest.fixture
def make_pages() -> Callable[..., Pages]:
    """Make what fetches pages from the hosts that are listed, with names of the test's own."""

    def make(
        *listed: str,
        names: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxied: Any = no_proxy,
        through_proxy: bool = False,
        **more: Any,
    ) -> Pages:
        http: Http = NoHttp()
        network = Network(http, ssl_context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), proxied)
        return Pages(Hosts(listed, names or Names()), network, through_proxy, **more)

    return make
