"""Which provider speaks to which server."""

from __future__ import annotations

from typing import Any

import pytest

from app.providers.build import Vendors, aliases, make_catalog, make_providers, rows
from app.providers.settings import NotSetUp, ProviderSettings
from app.runs.ports import Clock, Provider
from app.runtimes.threads import ThreadRuntime
from tests.support.asking import ask
from tests.support.options import RunOptions
from tests.support.upstream import Upstream
from tests.support.wires import BOUNDS, WIRES, send

NAMES = ["openai", "google", "anthropic", "local"]


def vendors(*names: str, origin: str = "http://127.0.0.1:1", field: str = "") -> Vendors:
    """Return these as set up, and no other."""
    url = {name: origin + WIRES[name].path for name in NAMES}
    fields: dict[str, dict[str, Any]] = {
        "openai": {
            "openai_api_key": "key",
            "openai_base_url": url["openai"],
            "openai_model": "openai-1",
            "openai_max_tokens_field": field,
        },
        "google": {
            "gemini_api_key": "key",
            "gemini_base_url": url["google"],
            "gemini_model": "google-1",
        },
        "anthropic": {
            "anthropic_api_key": "key",
            "anthropic_base_url": url["anthropic"],
            "anthropic_model": "anthropic-1",
        },
        "local": {"local_llm_url": url["local"], "local_llm_model": "local-1"},
    }
    return Vendors.model_validate(
        {"local": {"find_ollama": False}, **{name: fields[name] for name in names}}
    )


def made(*names: str, origin: str = "http://127.0.0.1:1", field: str = "") -> dict[str, Provider]:
    return {**make_providers(vendors(*names, origin=origin, field=field), BOUNDS)}


def catalog(*names: str, **settings: Any) -> list[tuple[str, str | None]]:
    """Return what can be chosen, and what the others lack."""
    of = make_catalog(
        ProviderSettings(**settings), vendors(*names), RunOptions(), ThreadRuntime(), Clock()
    )
    return [(choice.name, choice.missing) for choice in of.choices()]


def test_providers_come_in_the_order_they_are_chosen_in() -> None:
    providers = made("local", "anthropic", "google", "openai")

    assert list(providers) == [name for name in rows(Vendors()) if name in NAMES] == NAMES
    assert [p.name for p in providers.values()] == NAMES
    assert [p.default_model for p in providers.values()] == [f"{name}-1" for name in NAMES]


def test_server_that_is_not_set_up_has_none() -> None:
    assert list(made("local")) == ["local"]
    assert made() == {}


def test_address_alone_sets_up_openai() -> None:
    url = {"openai_base_url": "http://127.0.0.1:1/v1"}
    other = {"openai_model": "other", "openai_stream": False}

    for fields, names in ((url, ["openai"]), (other, [])):
        of = Vendors.model_validate({"openai": fields, "local": {"find_ollama": False}})
        assert list(make_providers(of, BOUNDS)) == names


@pytest.mark.parametrize("name,vendor", rows(Vendors()).items())
def test_vendor_names_settings_that_it_has(name: str, vendor: Any) -> None:
    declared = {field.upper() for field in type(vendor).model_fields}

    assert set(vendor.variables) <= declared
    assert vendor.streams is True


def test_other_names_are_nobodys_own() -> None:
    assert aliases() == {"gemini": "google", "claude": "anthropic", "ollama": "local"}


def test_what_is_not_set_up_says_what_it_lacks() -> None:
    google, demo, *others = catalog("google")

    assert (google, demo) == (("google", None), ("demo", None))
    assert set(others) >= {
        ("openai", "OPENAI_API_KEY"),
        ("local", "LOCAL_LLM_URL"),
        ("fault", "FAULT"),
        ("replay", "REPLAY_DIR"),
    }


@pytest.mark.parametrize("default,first", [("ollama", "local"), ("demo", "demo"), ("", "google")])
def test_default_provider_may_have_either_name(default: str, first: str) -> None:
    assert catalog("google", "local", default_provider=default)[0] == (first, None)


@pytest.mark.parametrize(
    "settings,sentence",
    [
        (
            {"default_provider": "gemini"},
            "DEFAULT_PROVIDER is 'gemini', which is not set up; set GEMINI_API_KEY.",
        ),
        (
            {"default_provider": "hal"},
            "DEFAULT_PROVIDER is 'hal'; it must be one of openai, demo, google, ",
        ),
        (
            {"fallback_providers": ("hal",)},
            "FALLBACK_PROVIDERS has 'hal'; it must be one that is set up: demo, openai.",
        ),
        (
            {"fault": "drop:1", "fault_provider": "google"},
            "FAULT_PROVIDER has 'google'; it must be one that is set up: demo, openai.",
        ),
    ],
)
def test_name_that_nobody_has_is_told_who_there_is(settings: Any, sentence: str) -> None:
    with pytest.raises(NotSetUp) as refused:
        catalog("openai", **settings)
    assert str(refused.value).startswith(sentence)


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
