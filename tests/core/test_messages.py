"""A conversation's tree: branches, what the model is given, titles."""

from __future__ import annotations

import pytest

from app.core.messages import (
    SESSION_PROMPT,
    Message,
    ProviderMessage,
    branch,
    for_provider,
    text_parts,
    title_from,
)


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

    assert given == (
        ProviderMessage("system", text_parts("Be brief.")),
        ProviderMessage("user", text_parts("hi")),
    )


@pytest.mark.parametrize("system", [None, ""])
def test_model_is_given_no_empty_system_prompt(system: str | None) -> None:
    assert for_provider([message("a", None, "hi")], system) == (
        ProviderMessage("user", text_parts("hi")),
    )


def test_model_is_given_kept_text_but_nothing_empty() -> None:
    said = [message("a", None, "hi"), message("b", "a", "so f", "assistant"), message("c", "b")]

    assert [m.text for m in for_provider(said, None)] == ["hi", "so f"]


@pytest.mark.parametrize(
    "asked,of_session,of_client,default,given",
    [
        (None, "", "", "", []),
        (None, "", "", "default", ["default"]),
        (None, "session", "", "default", ["session"]),
        ("asked", "session", "", "default", ["asked"]),
        ("asked", "", "", "default", ["asked"]),
        ("", "session", "", "default", ["session"]),
        (None, "", "client", "default", ["client"]),
        ("asked", "", "client", "default", ["asked", "client"]),
    ],
)
def test_one_system_prompt_counts_more_than_another(
    asked: str | None, of_session: str, of_client: str, default: str, given: list[str]
) -> None:
    said = [message("a", None, "hi")]
    if of_client:
        said.insert(0, message("s", None, of_client, "system"))
    if of_session:
        said.insert(0, message(SESSION_PROMPT, None, of_session, "system"))
    found = for_provider(said, asked, default)

    assert [one.text for one in found if one.role == "system"] == given
    assert found[-1].text == "hi"


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
