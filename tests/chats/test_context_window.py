"""What of a conversation a model is given: whole exchanges, the newest, in the room there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chats.context_window import AT_LEAST, PER_MESSAGE, cost_of, fit, tokens_of
from app.core.messages import ProviderMessage, text_parts
from app.core.usage import estimate_tokens

MESSAGES = st.lists(
    st.builds(
        ProviderMessage,
        st.sampled_from(["user", "assistant", "system"]),
        st.text(max_size=40).map(text_parts),
    ),
    max_size=14,
)
TOKENS = st.integers(0, 200)


def said(written: str) -> tuple[ProviderMessage, ...]:
    """Return messages of one word each: `s:` the system's, `a:` a reply's, else a user's."""
    roles = {"s": "system", "a": "assistant", "u": "user"}
    return tuple(ProviderMessage(roles[word[0]], text_parts(word)) for word in written.split())


def cost(messages: tuple[ProviderMessage, ...]) -> int:
    return sum(estimate_tokens(one.text) + PER_MESSAGE for one in messages)


def words(messages: tuple[ProviderMessage, ...]) -> str:
    return " ".join(one.text for one in messages)


HISTORY = "s u1 a1 u2 a2 u3"
EACH = 1 + PER_MESSAGE  # what a message of one short word costs


@pytest.mark.parametrize(
    "tokens,left",
    [
        (0, HISTORY),
        (6 * EACH, HISTORY),
        (6 * EACH - 1, "s u2 a2 u3"),
        (4 * EACH, "s u2 a2 u3"),
        (4 * EACH - 1, "s u3"),
        (2 * EACH, "s u3"),
        (1, "s u3"),
    ],
)
def test_oldest_exchanges_go_first_and_whole(tokens: int, left: str) -> None:
    fitting = fit(said(HISTORY), tokens)

    assert words(fitting.messages) == left
    assert fitting.dropped == len(HISTORY.split()) - len(left.split())


@pytest.mark.parametrize(
    "history,left",
    [
        ("a0 u1 a1 u2", "u2"),  # a greeting goes with the exchange after it
        ("u1 s1 a1 u2", "s1 u2"),  # a system message in the middle stays
        ("s1 s2 u1 u2", "s1 s2 u2"),
        ("u1 a1 a1 u2 a2", "u2 a2"),  # a reply that is carried on belongs to the last exchange
        ("a1", "a1"),
        ("s", "s"),
        ("", ""),
    ],
)
def test_what_cannot_go_stays(history: str, left: str) -> None:
    assert words(fit(said(history), 1).messages) == left


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "attachment_id": "a", "width": 3000, "height": 2500},
        {"type": "file", "attachment_id": "a", "media_type": "application/pdf", "pages": 500},
        {"type": "file", "attachment_id": "a", "media_type": "text/plain", "bytes": 10**7},
    ],
)
def test_what_is_attached_drives_out_nothing_since_it_can_be_cut(part: dict[str, object]) -> None:
    asked = ProviderMessage("user", (*text_parts("abcd"), part))

    assert cost_of(asked) == 1 + PER_MESSAGE + AT_LEAST
    history = [*said("u1 a1"), asked, *said("a2 u3")]
    assert fit(history, 2000).dropped == 0


def test_all_of_it_is_counted_as_vendors_count() -> None:
    image = {"type": "image", "attachment_id": "a", "width": 300, "height": 250}
    asked = ProviderMessage("user", (*text_parts("abcd"), image))

    assert tokens_of(asked) == 1 + PER_MESSAGE + 100


def test_message_costs_more_than_its_text() -> None:
    history = said("u1 a1 u2")
    assert fit(history, cost(history)).dropped == 0
    assert fit(history, cost(history) - 1).dropped == 2


@given(MESSAGES, TOKENS)
def test_system_and_the_last_exchange_always_stay(
    messages: list[ProviderMessage], tokens: int
) -> None:
    kept = fit(messages, tokens).messages
    asked = [index for index, one in enumerate(messages) if one.role == "user"]
    last_exchange = messages[asked[-1] :] if asked else messages

    assert [one for one in kept if one.role == "system"] == [
        one for one in messages if one.role == "system"
    ]
    assert list(kept[len(kept) - len(last_exchange) :]) == last_exchange


@given(MESSAGES, TOKENS)
def test_what_is_left_begins_with_an_exchange_and_has_no_gap(
    messages: list[ProviderMessage], tokens: int
) -> None:
    kept, dropped = fit(messages, tokens)
    spoken = [one for one in messages if one.role != "system"]
    left = [one for one in kept if one.role != "system"]

    assert dropped == len(messages) - len(kept)
    assert left == spoken[len(spoken) - len(left) :]
    assert not dropped or left[0].role == "user"


@given(MESSAGES, st.integers(1, 200))
def test_it_fits_while_more_than_one_exchange_is_left(
    messages: list[ProviderMessage], tokens: int
) -> None:
    kept, _ = fit(messages, tokens)
    exchanges = sum(one.role == "user" for one in kept)

    assert cost(kept) <= tokens or exchanges <= 1


@given(MESSAGES, st.integers(1, 200))
def test_nothing_goes_that_had_room(messages: list[ProviderMessage], tokens: int) -> None:
    """With the exchange that went last it would have been too much."""
    kept, dropped = fit(messages, tokens)
    if not dropped:
        return
    spoken = [index for index, one in enumerate(messages) if one.role != "system"]
    first_kept = spoken[len(spoken) - sum(one.role != "system" for one in kept)]
    starts = [index for index in spoken if messages[index].role == "user" and index < first_kept]
    before = starts[-1] if starts[1:] else 0  # the first exchange has what came before it too

    with_it = [m for i, m in enumerate(messages) if i >= before or m.role == "system"]
    assert cost(tuple(with_it)) > tokens


@given(MESSAGES)
def test_no_bound_leaves_everything(messages: list[ProviderMessage]) -> None:
    assert fit(messages, 0) == (tuple(messages), 0)
