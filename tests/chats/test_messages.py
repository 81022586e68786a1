"""A conversation's tree: branches, what the model is given, titles."""

from __future__ import annotations

import pytest

from app.chats.messages import branch, for_provider, title_from
from app.runs.records import Message, ProviderMessage, text_parts


def message(message_id: str, parent_id: str | None, text: str = "", role: str = "user") -> Message:
    return Message(message_id, role, text_parts(text) if text else (), 0.0, parent_id)


TREE = {
    m.id: m
    for m in (
        message("root", None),
        message("left", "root"),
        message("right", "root"),
        message("leaf", "right"),
    )
}


@pytest.mark.parametrize(
    "leaf,found",
    [
        ("leaf", ["root", "right", "leaf"]),
        ("left", ["root", "left"]),
        ("root", ["root"]),
        ("absent", []),
        (None, []),
    ],
)
def test_branch_goes_from_root_to_leaf(leaf: str | None, found: list[str]) -> None:
    assert [m.id for m in branch(TREE, leaf)] == found


def test_branch_begins_below_a_parent_that_is_gone() -> None:
    assert [m.id for m in branch({"b": message("b", "gone")}, "b")] == ["b"]


def test_model_is_given_the_system_prompt_first() -> None:
    given = for_provider([message("a", None, "hi")], "Be brief.")

    assert given == (ProviderMessage("system", "Be brief."), ProviderMessage("user", "hi"))


@pytest.mark.parametrize("system", [None, ""])
def test_model_is_given_no_empty_system_prompt(system: str | None) -> None:
    assert for_provider([message("a", None, "hi")], system) == (ProviderMessage("user", "hi"),)


def test_model_is_given_kept_text_but_nothing_empty() -> None:
    said = [message("a", None, "hi"), message("b", "a", "so f", "assistant"), message("c", "b")]

    assert [m.text for m in for_provider(said, None)] == ["hi", "so f"]


def test_only_text_parts_are_text() -> None:
    parts = ({"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"})

    assert Message("m", "user", parts, 0.0).text == "ab"


@pytest.mark.parametrize(
    "text,title",
    [
        ("Hello", "Hello"),
        ("  two   words \nsecond line", "two words"),
        ("", ""),
        ("\nsecond", ""),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 60 + "…"),
        ("word " * 20, "word " * 11 + "word…"),
    ],
)
def test_title_is_the_first_line_cut_at_a_word(text: str, title: str) -> None:
    assert title_from(text) == title
