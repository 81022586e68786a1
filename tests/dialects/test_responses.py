"""OpenAI's Responses: events in the order and of the types that its SDK knows, numbered by the log
alone, and what they add up to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from app.core.entries import Entry, folded
from app.dialects.responses.responses import Responses
from tests.dialects.mixed_logs import LOGS, numbered
from tests.dialects.speech import FAILED, STOPPED, reply_of, streamed, whole
from tests.support.clock import START
from tests.support.samples import end_entry, run_end

RESPONSES = Responses()
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
STARTED = {"response.output_item.added", "response.content_part.added"}
ENDS = {
    "stop": (run_end(), "completed", "response.completed"),
    "length": (run_end("completed", "length"), "incomplete", "response.incomplete"),
    "filter": (run_end("completed", "content_filter"), "incomplete", "response.incomplete"),
    "stopped": (STOPPED, "cancelled", "response.incomplete"),
    "failed": (FAILED, "failed", "response.failed"),
}


def events(stream: str) -> list[dict[str, Any]]:
    """Return the events; each is named as its data are."""
    found = []
    for frame in stream.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines() if line[:1] != ":")
        if lines:
            found.append(json.loads(lines["data"]))
            assert lines["event"] == found[-1]["type"]
    return found


def ended(log: list[Entry], end: Any) -> list[Entry]:
    """Return the log with another end."""
    return [*log[:-1], end_entry(log[-1].seq, end)]


@settings(max_examples=200)
@given(LOGS, st.sampled_from(sorted(ENDS)), st.booleans(), st.booleans())
def test_the_sdk_knows_every_event_and_what_they_add_up_to(log, how, seals, background):
    end, status, last = ENDS[how]
    log, options = ended(log, end), {"seals": seals, "background": background}
    told = events(streamed(RESPONSES, log, **options))
    for event in told:
        EVENT.validate_python(event, strict=True)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert told[-1]["type"] == last
    response = whole(RESPONSES, log, **options)
    Response.model_validate(response, strict=True)
    assert told[-1]["response"] == response
    assert response["status"] == status
    assert put_together(told) == response["output"]


def put_together(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items that a client has, which has listened to pieces alone; nothing is said of an
    item before it is there, or after its end."""
    items: list[dict[str, Any]] = []
    said: dict[tuple[int, int], list[str]] = {}
    done: dict[int, dict[str, Any]] = {}
    for event in told:
        kind, at = event["type"].removeprefix("response."), event.get("output_index")
        if at is None:
            continue
        assert at not in done
        if kind == "output_item.added":
            assert at == len(items)
            items.append(event["item"])
            continue
        if kind == "output_item.done":
            done[at] = event["item"]
            assert done[at]["id"] == items[at]["id"]
            continue
        assert event["item_id"] == items[at]["id"]
        place = at, event.get("content_index", event.get("summary_index", 0))
        if kind.endswith(".delta"):
            said.setdefault(place, []).append(event["delta"])
        elif kind.endswith("_text.done") or kind == "refusal.done":
            assert event.get("text", event.get("refusal")) == "".join(said.pop(place))
        elif kind == "function_call_arguments.done":
            assert event["arguments"] == "".join(said.pop(place, [])) or place not in said
    assert not [place for place in said if done[place[0]]["status"] != "incomplete"]
    return [done[index] for index in range(len(items))]


@given(LOGS, st.data())
def test_whoever_comes_back_misses_nothing_and_hears_nothing_twice(log, data):
    options = {"seals": True}
    told = events(streamed(RESPONSES, log, **options))
    after = data.draw(st.integers(0, len(told)))
    again = streamed(RESPONSES, log, starting_after=after, **options)
    assert events(again) == told[after + 1 :]


@given(LOGS, st.data())
def test_whoever_is_far_behind_hears_the_same_in_fewer_pieces(log, data):
    """What comes joined has the number of its last: the next is the one that would have been."""
    many = [Entry(n, "text", "ab ", START) for n in range(1, 100)]
    log = numbered([[(entry.kind, entry.data) for entry in many + log[:-1]]])
    told = events(streamed(RESPONSES, log[:-1]))  # at once, so that texts are joined
    each = reply_of(log)
    encoder = RESPONSES.encoder(each, 0, {})
    one_by_one = events(
        (encoder.opening + b"".join(encoder.encode([entry]) for entry in log[:-1])).decode()
    )
    assert len(told) < len(one_by_one)
    by_number = {event["sequence_number"]: event for event in one_by_one}
    for event in told:
        same = by_number[event["sequence_number"]]
        assert event["type"] == same["type"]
        if not event["type"].endswith(".delta"):
            assert event == same
    after = data.draw(st.sampled_from(told))["sequence_number"]
    rest = events(streamed(RESPONSES, log, starting_after=after))
    text = "".join(e["delta"] for e in told if e["sequence_number"] <= after and "delta" in e)
    more = "".join(e["delta"] for e in rest if "delta" in e)
    assert text + more == "".join(e["delta"] for e in one_by_one if "delta" in e)


@given(LOGS)
def test_a_log_that_was_folded_says_the_same_but_for_thoughts(log):
    before = whole(RESPONSES, log)["output"]
    after = whole(RESPONSES, folded(log))["output"]
    assert "".join(texts(after)) == "".join(texts(before))
    calls = [(one["call_id"], one["arguments"]) for one in before if "call_id" in one]
    kept = [(one["call_id"], one["arguments"]) for one in after if "call_id" in one]
    assert [(name, json.loads(said)) for name, said in kept] == [
        (name, json.loads(said)) for name, said in calls
    ]


def texts(items: list[dict[str, Any]]) -> list[str]:
    """Return the texts of the messages among the items."""
    messages = (item for item in items if item["type"] == "message")
    return [part.get("text", "") for message in messages for part in message["content"]]


def test_a_response_that_goes_on_has_what_was_said_so_far():
    log = numbered([[("reasoning", "Hm.")], [("text", "Hel"), ("text", "lo")]])[:-1]
    response = whole(RESPONSES, log)
    Response.model_validate(response, strict=True)
    assert (response["status"], response["usage"]) == ("in_progress", None)
    assert texts(response["output"]) == ["Hello"]
    assert response["output"][1]["status"] == "in_progress"


def test_one_in_the_background_of_which_nothing_is_there_is_queued():
    assert whole(RESPONSES, [], background=True)["status"] == "queued"
    assert whole(RESPONSES, [])["status"] == "in_progress"


def test_a_call_that_was_cut_off_is_incomplete():
    names = {"n": 0, "call_id": "c", "name": "t", "source": "client"}
    log = numbered([[("tool_call", names), ("tool_args", {"n": 0, "delta": '{"a'})]])
    (call,) = whole(RESPONSES, ended(log, FAILED))["output"]
    assert (call["status"], call["arguments"]) == ("incomplete", '{"a')


def test_what_was_asked_is_said_again():
    asked = {
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "max_output_tokens": 10,
        "tools": [{"type": "function", "name": "t", "parameters": {}, "strict": True}],
        "previous_response_id": "resp_1",
        "text": {"verbosity": "low"},
        "conversation": "conv_s",
        "store": False,
    }
    response = whole(RESPONSES, numbered([]), **asked)
    Response.model_validate(response, strict=True)
    wanted = {**asked, "conversation": {"id": "conv_s"}}
    wanted["text"] = {"format": {"type": "text"}, "verbosity": "low"}
    assert {name: response[name] for name in asked} == wanted


@pytest.mark.parametrize("attempts, model", [((), "scripted-1"), (({"model": "first"},), "first")])
def test_who_was_asked_is_named_at_the_start_whoever_answers(attempts, model):
    reply = reply_of(numbered([]), attempts=attempts)
    told = events(RESPONSES.encoder(reply, 0, {}).opening.decode())
    assert {event["response"]["model"] for event in told} == {model}
