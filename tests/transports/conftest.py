"""An app in this process: threads, a store in memory, the demo provider; a test client gets a whole
stream as one body."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.wiring import create_app, load_settings
from tests.support.scripted import ScriptedProvider


def built(scripted: ScriptedProvider | None = None, **settings: Any) -> Tandem:
    """Return a server of these settings that needs no network; who answers is the demo, or what the
    test has written."""
    defaults = {"DATABASE_URL": "memory:", "STREAM_DELAY_S": "0"}
    loaded = load_settings(defaults | {name: str(value) for name, value in settings.items()})
    providers = None if scripted is None else {scripted.name: scripted}
    return create_app(loaded, providers, ThreadRuntime())


@pytest.fixture(scope="package")
def tandem() -> Tandem:
    """A server that tests only ask, without limits."""
    return built(RATE_LIMIT_STREAM="off", RATE_LIMIT_CHAT="off", RATE_LIMIT_READ="off")


@pytest.fixture
def http(tandem: Tandem) -> FlaskClient:
    client: FlaskClient = tandem.app.test_client()
    return client
