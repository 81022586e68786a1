"""Numbered conversations: a number is in the session's id, and comes out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chats.numbers import number_of_session, numbered_session
from app.chats.request import check_session_id


@given(st.integers(1, 2**53))
def test_number_is_that_of_its_session(number: int) -> None:
    session_id = numbered_session(number)

    assert check_session_id(session_id) == session_id
    assert number_of_session(session_id) == number


def test_session_is_named_by_its_number() -> None:
    assert numbered_session(12) == "conversation:12"


@pytest.mark.parametrize(
    "session_id",
    [
        "s-1",
        "12",
        "conversation:",
        "conversation",
        "conversation:x",
        "conversation:1x",
        "conversation:-1",
        "conversation:1.5",
        "conversation: 1",
        "conversation:²",
        "conversation:٣",
        "my-conversation:1",
        "Conversation:1",
        "conversation:conversation:1",
    ],
)
def test_other_session_has_no_number(session_id: str) -> None:
    assert number_of_session(session_id) is None
