"""Which provider speaks to which server."""

from __future__ import annotations

import pytest

from app.providers.build import LACKS, ModelServer, make_providers
from app.runs.ports import Provider
from tests.support.asking import ask
from tests.support.upstream import Upstream
from tests.support.wires import WIRES, send


def made(*names: str, origin: str = "http://127.0.0.1:1", field: str = "") -> dict[str, Provider]:
    servers = {
        name: ModelServer("key", origin + WIRES[name].path, f"{name}-1", field) for name in names
    }
    return make_providers(servers, 10, 1000)


def test_providers_come_in_the_order_they_are_chosen_in() -> None:
    providers = made("local", "google", "openai")

    assert list(providers) == list(LACKS) == ["openai", "google", "local"]
    assert [p.name for p in providers.values()] == list(LACKS)
    assert [p.default_model for p in providers.values()] == ["openai-1", "google-1", "local-1"]


def test_server_that_is_not_set_up_has_none() -> None:
    assert list(made("local")) == ["local"]
    assert made() == {}


@pytest.mark.parametrize(
    "name,set_to,field",
    [
        ("openai", "", "max_tokens"),
        ("openai", "max_completion_tokens", "max_completion_tokens"),
        ("local", "max_completion_tokens", "max_tokens"),  # all that Ollama knows
    ],
)
def test_limit_of_tokens_has_the_name_its_server_knows(
    model_server: Upstream, name: str, set_to: str, field: str
) -> None:
    wire = WIRES[name]
    model_server.reply = send(wire.text("a"), wire.end("stop", 5, 3))
    origin = f"http://127.0.0.1:{model_server.port}"
    ask(made(name, origin=origin, field=set_to)[name], max_tokens=7)

    assert model_server.exchanges[0].body[field] == 7


@pytest.mark.parametrize("name", WIRES)
def test_each_speaks_its_wire(model_server: Upstream, name: str) -> None:
    wire = WIRES[name]
    model_server.reply = send(wire.text("a"), wire.end(wire.reasons[0][0], 5, 3))

    assert ("text", "a") in ask(made(name, origin=f"http://127.0.0.1:{model_server.port}")[name])
