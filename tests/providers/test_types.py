"""Addresses and keys as people paste them: what is taken off or added, what is refused how."""

from __future__ import annotations

from typing import Any

import pytest

from app.settings import BadSetting
from app.wiring import load_settings

V1 = "http://127.0.0.1:11434/v1"


def refused(**environ: str) -> str:
    with pytest.raises(BadSetting) as bad:
        load_settings(environ)
    return str(bad.value)


def read(name: str, value: str) -> Any:
    """Return what a vendor's setting is."""
    vendors = load_settings({name: value}).vendors
    field = name.lower()
    return next(getattr(one, field) for _, one in vendors if hasattr(one, field))


@pytest.mark.parametrize(
    "value,address",
    [
        ("http://127.0.0.1:11434", V1),
        ("http://127.0.0.1:11434/", V1),
        ("http://127.0.0.1:11434/v1/", V1),
        ("127.0.0.1:11434", V1),
        ("127.0.0.1:11434/v1", V1),
        (' "http://127.0.0.1:11434/v1" ', V1),
        ("' 127.0.0.1:11434 '", V1),
        ("localhost:8080", "http://localhost:8080/v1"),
        ("my_host.lan:8080/", "http://my_host.lan:8080/v1"),
        ("[::1]:8080", "http://[::1]:8080/v1"),
        ("https://llm.test", "https://llm.test/v1"),
        ("https://llm.test/openai", "https://llm.test/openai"),
        ("https://llm.test/api/v1", "https://llm.test/api/v1"),
        ("http://us:pw@llm.test", "http://us:pw@llm.test/v1"),
        ("''", ""),
    ],
)
def test_own_address_may_lack_what_is_plain(value: str, address: str) -> None:
    assert read("LOCAL_LLM_URL", value) == address


@pytest.mark.parametrize(
    "value,address",
    [
        ("https://llm.test/v1/", "https://llm.test/v1"),
        (" 'https://llm.test' ", "https://llm.test"),  # not every server has a /v1
        ("HTTPS://LLM.test/V1", "HTTPS://LLM.test/V1"),
        ("https://llm.test/models/v1", "https://llm.test/models/v1"),
        ("https://llm.test/supermodels", "https://llm.test/supermodels"),
    ],
)
def test_address_is_taken_as_it_is(value: str, address: str) -> None:
    assert read("OPENAI_BASE_URL", value) == address


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "LOCAL_LLM_URL", "GEMINI_BASE_URL"])
@pytest.mark.parametrize(
    "value,words",
    [
        ("llm.test", "an address that starts with http:// or https://"),
        ("ftp://llm.test/v1", "an address that starts with http:// or https://"),
        ("http:///v1", "an address that starts with http:// or https://"),
        ("http://llm.test:many/v1", "an address that starts with http:// or https://"),
        ("http://[::1/v1", "an address that starts with http:// or https://"),
        ("https://llm.test /v1", "an address without white space or characters that"),
        ("https://llm.test\u200b/v1", "an address without white space or characters that"),
        ("\ufeffhttps://llm.test/v1", "an address that starts with http:// or https://"),
        *(
            (
                f"https://llm.test/v1{operation}/",
                f"the address before {operation}: https://llm.test/v1",
            )
            for operation in (
                "/chat/completions",
                "/completions",
                "/responses",
                "/models",
                "/embeddings",
            )
        ),
        ("https://llm.test/v1?", "an address without ? and #: https://llm.test/v1"),
        ("https://llm.test/v1#x", "an address without ? and #: https://llm.test/v1"),
        ("https://llm.test/v1/models?key=hush", "an address without ? and #: https://llm.test/v1"),
        ("https://us:hush@llm.test/v1/models", "the address before /models: https://llm.test/v1"),
        (
            "https://a.openai.azure.com/openai/deployments/d/chat/completions?api-version=hush",
            "an address without ? and #: https://a.openai.azure.com/openai/v1",
        ),
    ],
)
def test_address_that_is_none_is_told_what_to_write(name: str, value: str, words: str) -> None:
    text = refused(**{name: value})
    shown = "(not shown)" if "@" in value or "?" in value else repr(value)

    assert text.startswith(f"{name} is {shown}; it must be {words}")
    assert "hush" not in text


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/chat", "/api/generate", "/api/tags"])
@pytest.mark.parametrize("host", ["127.0.0.1:11434", "http://127.0.0.1:11434"])
def test_ollamas_own_address_is_told_the_other(host: str, path: str) -> None:
    assert refused(LOCAL_LLM_URL=f"{host}{path}").endswith(
        f"it must be the address that OpenAI's clients are given: {V1}."
    )


@pytest.mark.parametrize("name", ["GEMINI_BASE_URL", "ANTHROPIC_BASE_URL"])
def test_who_is_asked_with_a_key_alone_has_no_user(name: str) -> None:
    words = "an address without a user and a password: it is asked with a key alone"

    assert refused(**{name: "https://us:hush@llm.test/v1"}) == (
        f"{name} is (not shown); it must be {words}."
    )


KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY")


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", ["sk-1", " sk-1\t", "\u00a0sk-1\r\n", '"sk-1"', "' sk-1 '"])
def test_what_is_around_a_key_is_taken_off(name: str, value: str) -> None:
    assert read(name, value).get_secret_value() == "sk-1"


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    "value",
    [
        "\ufeffsk-hush",
        "sk-hush\u200b",
        "sk-\u2013hush",
        "sk-h\u00fcsh",
        "Bearer sk-hush",
        "sk-\x00hush",
        "sk-hush\nsk-hush",
        "sk\thush",
        "sk\x7fhush",
        "sk\ud800hush",
    ],
)
def test_key_that_is_none_stops_the_start(name: str, value: str) -> None:
    assert refused(**{name: value}) == (
        f"{name} is (not shown); it must be the key alone: printable ASCII without spaces, "
        "as it was given out."
    )
