"""A conversation's tree: branches, what the model is given."""

from __future__ import annotations

import pytest

from app.core.messages import (
    Content,
    Message,
    branch,
    extended,
    in_order,
    prompt_of,
    text_parts,
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


@pytest.mark.parametrize(
    "asked,of_session,of_client,default,prompt",
    [
        (None, "", "", "", ""),
        (None, "", "", "default", "default"),
        (None, "session", "", "default", "session"),
        ("asked", "session", "", "default", "asked"),
        ("asked", "", "", "default", "asked"),
        ("", "session", "", "default", "session"),
        (None, "", "client", "default", ""),
        ("asked", "", "client", "default", "asked"),
    ],
)
def test_one_system_prompt_counts_more_than_another(
    asked: str | None, of_session: str, of_client: str, default: str, prompt: str
) -> None:
    assert prompt_of(asked, of_session, default, bool(of_client)) == prompt


@pytest.mark.parametrize(
    "before,more,whole",
    [
        ((), text_parts("a"), text_parts("a")),
        (text_parts("a"), (), text_parts("a")),
        (text_parts("a"), text_parts("b"), text_parts("ab")),
        (({"type": "image"},), text_parts("b"), ({"type": "image"}, *text_parts("b"))),
        (text_parts("a"), ({"type": "image"},), (*text_parts("a"), {"type": "image"})),
    ],
)
def test_content_goes_on_where_it_ended(before: Content, more: Content, whole: Content) -> None:
    assert extended(before, more) == whole


def test_messages_of_one_time_come_after_their_parents() -> None:
    said = [message("c", "b"), message("b", "a"), message("d", "c"), message("a", None)]

    assert list(in_order(said)) == ["a", "b", "c", "d"]


def test_only_text_parts_are_text() -> None:
    parts = ({"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"})

    assert Message("m", "user", parts, 0.0).text == "ab"
