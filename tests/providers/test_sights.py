"""Whether a model takes pictures, as far as its server's list or its name says."""

from __future__ import annotations

from typing import Any

import pytest

from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.sights import by_name, sights_in


@pytest.mark.parametrize(
    "model, sees",
    [
        ("gpt-5-mini", True),
        ("openai/gpt-4o", True),
        ("gpt-4.1-nano", True),
        ("o4-mini", True),
        ("o3", True),
        ("o3-mini", False),
        ("gpt-4", False),
        ("gpt-3.5-turbo", False),
        ("claude-sonnet-4-5", True),
        ("anthropic/claude-3.5-haiku", True),
        ("claude-2.1", False),
        ("gemini-2.5-flash", True),
        ("deepseek-reasoner", False),
        ("llava:13b", True),
        ("qwen2.5vl:7b", True),
        ("somebody-elses", None),
        ("my-gpt-4o", None),
        ("", None),
    ],
)
def test_some_are_known_by_their_names(model: str, sees: bool | None) -> None:
    assert by_name(model) is sees


@pytest.mark.parametrize(
    "listed, found",
    [
        (
            {"data": [{"id": "a", "architecture": {"input_modalities": ["text", "image"]}}]},
            {"a": 1},
        ),
        ({"data": [{"id": "a", "architecture": {"input_modalities": ["text"]}}]}, {"a": 0}),
        ({"data": [{"id": "a", "capabilities": {"vision": False}}, {"id": "b"}]}, {"a": 0}),
        ({"data": [{"id": 7, "capabilities": {"vision": True}}, "x", None]}, {}),
        ({"data": [{"id": "a", "architecture": None, "capabilities": []}]}, {}),
        ({"data": {}}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_lists_say_it_in_their_ways(listed: Any, found: dict[str, int]) -> None:
    assert sights_in(listed) == {name: bool(sees) for name, sees in found.items()}


class Listed:
    """A provider's lists, as far as pictures go."""

    def takes_images(self, name: str, model: str) -> bool | None:
        return {"gpt-4": True}.get(model)

    def of(self, name: str) -> tuple[str, ...]:
        return ("gpt-4", "o1-mini", "else")


def test_list_counts_more_than_the_name() -> None:
    demo = DemoProvider(lambda seconds: None, 1, 0.0)
    catalog = ProviderCatalog({}, {}, demo, "", lists=Listed())  # type: ignore[arg-type]

    told = {model: catalog.takes_images(demo, model) for model in ("gpt-4", "o1-mini", "else")}
    assert told == {"gpt-4": True, "o1-mini": False, "else": None}
