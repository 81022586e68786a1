"""Where in the tree a turn goes, on a tree of two questions, the second of which was answered
twice."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.placing import AT_LEAF, Place, parent_of
from app.core.errors import InvalidRequest
from app.core.messages import Message, text_parts


def message(message_id: str, parent_id: str | None) -> Message:
    role = {"q": "user", "r": "assistant", "s": "system"}[message_id[0]]
    return Message(message_id, role, text_parts(message_id), 0.0, parent_id)


# q1 - r1 - q2 - r2      q3 is another first question
#             \- r2b
CHAIN = [("q1", None), ("r1", "q1"), ("q2", "r1"), ("r2", "q2"), ("r2b", "q2"), ("q3", None)]
TREE = {one: message(one, parent) for one, parent in CHAIN}
LEAF = "r2b"


@pytest.mark.parametrize(
    "place,parent",
    [
        (Place("after", "r1"), "r1"),
        (Place("after", "r2"), "r2"),
        (Place("after", None), None),
        (Place("after", "gone"), LEAF),
        (Place("edit", "q1"), None),
        (Place("edit", "q2"), "r1"),
        (Place("edit", "q3"), None),
        (Place("regenerate", "r1"), "q1"),
        (Place("regenerate", "r2"), "q2"),
        (Place("regenerate", None), "q2"),
        (Place("again", None), "q1"),
        (Place("again", "r1"), "q2"),
        (Place("again", "r2"), "q2"),
        (Place("again", "gone"), "q2"),
    ],
)
def test_turn_hangs_on(place: Place, parent: str | None) -> None:
    assert parent_of(place, TREE, LEAF) == parent


@pytest.mark.parametrize(
    "place",
    [
        Place("edit", "r1"),
        Place("edit", "gone"),
        Place("edit", None),
        Place("regenerate", "q1"),
        Place("regenerate", "gone"),
    ],
)
def test_target_of_another_kind_is_refused(place: Place) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parent_of(place, TREE, LEAF)
    assert set(refused.value.fields) == {"message_id"}


@pytest.mark.parametrize("leaf", [None, "q2"])
def test_without_a_last_reply_there_is_none_to_regenerate(leaf: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parent_of(Place("regenerate"), TREE, leaf)
    assert refused.value.fields == {"message_id": "must be a reply of this session"}


@pytest.mark.parametrize("target", [None, "r1"])
def test_without_a_question_there_is_nothing_to_answer_again(target: str | None) -> None:
    tree = {"s1": message("s1", None)}

    for leaf in (None, "s1"):
        with pytest.raises(InvalidRequest) as refused:
            parent_of(Place("again", target), tree, leaf)
        assert set(refused.value.fields) == {"messages"}


def test_again_answers_what_follows_in_the_branch_in_use() -> None:
    assert parent_of(Place("again", None), TREE, "q3") == "q3"


def test_empty_session_is_begun_at_its_root() -> None:
    assert parent_of(Place("after", "r1"), {}, None) is None


@pytest.mark.parametrize(
    "kind,has_message",
    [
        ("leaf", True),
        ("under", True),
        ("after", True),
        ("edit", True),
        ("regenerate", False),
        ("again", False),
    ],
)
def test_place_says_whether_the_turn_brings_a_message(kind: Any, has_message: bool) -> None:
    assert Place(kind).has_message is has_message
    assert AT_LEAF == Place("leaf")
