"""Roles take turns, whatever a conversation has been through."""

from __future__ import annotations

import pytest

from app.core.messages import Content, ProviderMessage, text_parts
from app.core.turns import taking_turns

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


CALLS: Content = (
    {"type": "tool_call", "call_id": "c1", "name": "look", "input": {}},
    {"type": "tool_call", "call_id": "c2", "name": "look", "input": {}},
)
RESULTS: Content = (
    {"type": "tool_result", "call_id": "c1", "name": "look", "output": 1},
    {"type": "tool_result", "call_id": "c2", "name": "look", "output": 2},
)
UNKNOWN: Content = tuple(
    {"type": "tool_result", "call_id": call["call_id"], "name": "look", "unknown": True}
    for call in CALLS
)
ASKED = ProviderMessage("user", text_parts("a"))
DONE = text_parts("done")


@pytest.mark.parametrize(
    "content,turns",
    [
        ((*CALLS, *RESULTS, *DONE), [("assistant", CALLS), ("tool", RESULTS), ("assistant", DONE)]),
        (
            (*CALLS, *RESULTS, *CALLS, *RESULTS),
            [("assistant", CALLS), ("tool", RESULTS), ("assistant", CALLS), ("tool", RESULTS)],
        ),
        (CALLS, [("assistant", CALLS), ("tool", UNKNOWN)]),
        ((*CALLS, RESULTS[1]), [("assistant", CALLS), ("tool", (RESULTS[1], UNKNOWN[0]))]),
        (
            (*CALLS, *DONE),
            [("assistant", (*CALLS, *DONE)), ("tool", UNKNOWN)],
        ),
    ],
)
def test_each_call_is_followed_by_its_result(content: Content, turns: list[object]) -> None:
    found = taking_turns([ASKED, ProviderMessage("assistant", content), ASKED])

    assert [(turn.role, turn.content) for turn in found[1:-1]] == turns
    assert found[0] == found[-1] == ASKED


def test_results_of_a_client_are_one_turn() -> None:
    said = [
        ProviderMessage("assistant", CALLS),
        *(ProviderMessage("tool", (result,)) for result in RESULTS),
    ]
    assert [(turn.role, turn.content) for turn in taking_turns(said)] == [
        ("assistant", CALLS),
        ("tool", RESULTS),
    ]


def test_what_only_a_provider_reads_is_no_turn_of_its_own() -> None:
    opaque: Content = ({"type": "opaque", "vendor": "v"},)

    assert taking_turns([ASKED, ProviderMessage("assistant", opaque), ASKED]) == [
        ProviderMessage("user", text_parts("a\n\na"))
    ]


def test_a_result_without_a_name_has_that_of_its_call() -> None:
    call = {"type": "tool_call", "call_id": "c", "name": "t", "source": "client", "input": {}}
    result = {"type": "tool_result", "call_id": "c", "name": "", "output": 4}
    other = {**result, "call_id": "other"}
    said = [ProviderMessage("assistant", (call,)), ProviderMessage("tool", (result, other))]

    *_, given = taking_turns(said)
    assert given.content == ({**result, "name": "t"}, other)
