"""The catalog: request, then default, then the first that is set up, then demo."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.core.errors import InvalidRequest, ProviderNotConfigured
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.runs.ports import Provider
from tests.support.scripted import ScriptedProvider

DEMO = DemoProvider(lambda seconds: None, 3, 0.1)
MISSING = {"openai": "OPENAI_API_KEY"}


def catalog_of(
    configured: Mapping[str, Provider] | None = None, default: str = ""
) -> ProviderCatalog:
    return ProviderCatalog(configured or {}, MISSING, DEMO, default)


def test_demo_answers_when_nobody_else_can() -> None:
    assert catalog_of().choose(None) is DEMO


def test_first_that_is_set_up_answers_by_default(scripted: ScriptedProvider) -> None:
    other = ScriptedProvider()

    assert catalog_of({"scripted": scripted, "other": other}).choose(None) is scripted


def test_default_provider_goes_before_the_first(scripted: ScriptedProvider) -> None:
    catalog = catalog_of({"scripted": scripted}, default="demo")

    assert catalog.choose(None) is DEMO
    assert catalog.choose("") is DEMO


def test_request_goes_before_the_default(scripted: ScriptedProvider) -> None:
    catalog = catalog_of({"scripted": scripted}, default="demo")

    assert catalog.choose("scripted") is scripted
    assert catalog.choose("demo") is DEMO


def test_provider_without_a_key_names_its_setting() -> None:
    with pytest.raises(ProviderNotConfigured) as refused:
        catalog_of().choose("openai")
    assert "OPENAI_API_KEY" in refused.value.message


def test_unknown_provider_is_told_the_known_ones(scripted: ScriptedProvider) -> None:
    with pytest.raises(InvalidRequest) as refused:
        catalog_of({"scripted": scripted}).choose("hal")
    assert refused.value.fields == {"provider": "must be one of demo, openai, scripted"}


def test_names_begin_with_the_default(scripted: ScriptedProvider) -> None:
    assert catalog_of({"scripted": scripted}).names() == ["scripted", "demo"]
    assert catalog_of({"scripted": scripted}, "demo").names() == ["demo", "scripted"]
    assert catalog_of().names() == ["demo"]
