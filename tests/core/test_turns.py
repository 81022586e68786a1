"""Roles take turns, whatever a conversation has been through."""

from __future__ import annotations

import pytest

from app.core.messages import Content, ProviderMessage, taking_turns, text_parts

FILE = {"type": "file", "id": "f"}
Said = list[tuple[str, str]]


def messages_of(said: Said) -> list[ProviderMessage]:
    return [ProviderMessage(role, text_parts(text)) for role, text in said]


@pytest.mark.parametrize(
    "said,turns",
    [
        ([], []),
        ([("user", "a")], [("user", "a")]),
        ([("user", "a"), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", ""), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", "b"), ("user", "c")],) * 2,
        ([("system", "s"), ("system", "t"), ("user", "a")], [("system", "s\n\nt"), ("user", "a")]),
        ([("user", "a")] * 3 + [("assistant", "b")] * 2, [("user", "a\n\na\n\na"),
                                                          ("assistant", "b\n\nb")]),
        ([("user", " "), ("user", "b")], [("user", " \n\nb")]),
    ],
)  # fmt: skip
def test_neighbours_of_one_role_are_one(said: Said, turns: Said) -> None:
    assert [(one.role, one.text) for one in taking_turns(messages_of(said))] == turns


def test_parts_that_are_no_text_stay_where_they_are() -> None:
    content: Content = (*text_parts("a"), FILE)
    said = [ProviderMessage("user", content), ProviderMessage("user", text_parts("b"))]

    (turn,) = taking_turns(said)

    assert turn.content == (*text_parts("a"), FILE, *text_parts("\n\nb"))


def test_no_two_neighbours_have_one_role_in_a_long_conversation() -> None:
    said = [("user" if n % 3 else "assistant", "x" * (n % 5)) for n in range(2000)]
    turns = taking_turns(messages_of(said))

    roles = [turn.role for turn in turns]
    assert all(one != other for one, other in zip(roles, roles[1:], strict=False))
    words = "".join(text for _, text in said)
    assert "".join(turn.text for turn in turns).replace("\n", "") == words
