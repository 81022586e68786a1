"""What every dialect refuses, and that each says so in its own shape."""

from __future__ import annotations

import json

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.speakers import Speaker, every
from tests.support.sse import stream_chat
from tests.support.upstream import silent

PAGE = "http://localhost:3000"


@pytest.fixture(scope="module")
def locked(start_one):
    """A server that wants tokens, and takes two streams a minute from each user."""
    return start_one(JWT_SECRET=SECRET, RATE_LIMIT_STREAM="2 per minute")


@pytest.fixture(scope="module")
def full(start_one):
    """A server that has room for one reply."""
    return start_one(MAX_RUNS=1)


def is_sentence(text: str) -> bool:
    """Whether it is told to a person: not a code, not a traceback."""
    return (text[:1].isupper() or text[:1] == "`") and " " in text and "Traceback" not in text


# --- refusals -----------------------------------------------------------------------


@every
def test_without_a_token_the_dialect_says_401(locked, upstream, speaker):
    path = speaker.path_for(locked, **bearer(token_of(f"auth {speaker.name}")))
    for headers in ({}, bearer("garbage"), bearer(token_of(expires_in=-1))):
        answer = locked.post(path, speaker.body("go"), **headers)
        assert answer.status == 401
        assert is_sentence(speaker.problem(answer.json))
        assert answer.headers["www-authenticate"] == "Bearer"
    assert upstream.exchanges == []


@every
def test_over_the_limit_the_dialect_says_429(locked, upstream, speaker):
    headers = bearer(token_of(f"limits {speaker.name}"))
    for _ in range(2):
        assert speaker.start(locked, **headers).read() == "Hello there"
    answer = speaker.post(locked, **headers)
    assert answer.status == 429
    assert is_sentence(speaker.problem(answer.json))
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert len(upstream.exchanges) == 2


BAD_BODIES = {
    "not JSON": b'{"a": ',
    "a list": b"[]",
    "not UTF-8": b'{"a": "\xff"}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "nested": b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", BAD_BODIES)
@every
def test_a_body_that_is_no_object_is_a_400_in_the_dialect(server, upstream, speaker, kind):
    answer = server.post(speaker.path_for(server), BAD_BODIES[kind])
    assert answer.status == 400, answer.body
    assert is_sentence(speaker.problem(answer.json))
    assert upstream.exchanges == []


WRONG = {"missing": None, "a number": 7, "null": "null", "blank": " \n", "a NUL": "a\x00b"}


@pytest.mark.parametrize("kind", WRONG)
@every
def test_a_wrong_message_is_a_400_that_names_the_field(server, upstream, speaker, kind):
    body = with_message(speaker, WRONG[kind])
    answer = server.post(speaker.path_for(server), body)
    assert answer.status == 400, answer.body
    assert is_sentence(speaker.problem(answer.json))
    assert speaker.required in answer.body.decode()
    assert "x-run-id" not in answer.headers and upstream.exchanges == []


def with_message(speaker: Speaker, value: object) -> dict[str, object]:
    """Return a request with this in the message's place, or in its field's."""
    if isinstance(value, str) and value != "null":
        return speaker.body(value)
    body = speaker.body("go")
    body[speaker.required] = None if value == "null" else value
    if value is None:
        del body[speaker.required]
    return body


@every
def test_a_form_is_a_415_and_a_large_body_a_413_in_the_dialect(server, speaker):
    path = speaker.path_for(server)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = {
        415: server.post(path, json.dumps(speaker.body("go")).encode(), **form),
        413: server.post(path, speaker.body("x" * 2_000_000)),
    }
    assert {status: answer.status for status, answer in answers.items()} == {415: 415, 413: 413}
    for answer in answers.values():
        assert is_sentence(speaker.problem(answer.json))


@every
def test_a_long_message_is_a_413_in_the_dialect(server, speaker):
    answer = speaker.post(server, "x" * 130_000)
    assert answer.status == 413
    assert is_sentence(speaker.problem(answer.json))


@every
def test_another_users_run_is_not_there(locked, upstream, speaker):
    upstream.reply = upstream.reply if speaker.holds_headers else silent
    alice, bob = (bearer(token_of(f"{who} {speaker.name}")) for who in ("alice", "bob"))
    stream = speaker.start(locked, **alice)
    for path in (f"/api/runs/{stream.run_id}", f"/api/runs/{stream.run_id}/events"):
        assert locked.get(path, **bob).code == "not_found"
    assert locked.post(f"/api/runs/{stream.run_id}/stop", **bob).code == "not_found"
    session_path = f"/api/chat/sessions/{stream.headers['x-session-id']}"
    assert locked.get(session_path, **bob).code == "not_found"
    assert locked.get(session_path, **alice).status == 200
    assert locked.get(f"/api/runs/{stream.run_id}", **alice).status == 200
    assert locked.post(f"/api/runs/{stream.run_id}/stop", **alice).status == 200


@every
def test_a_full_server_is_a_503_in_the_dialect(full, upstream, speaker):
    upstream.reply = silent
    path = speaker.path_for(full)
    stream = stream_chat(full, "wait")
    answer = full.post(path, speaker.body("go"))
    assert full.post(f"/api/runs/{stream.run_id}/stop").status == 200
    assert answer.status == 503
    assert is_sentence(speaker.problem(answer.json))
    assert int(answer.headers["retry-after"]) >= 1


@every
def test_a_page_may_read_the_refusal(server, speaker):
    answer = server.post(speaker.path_for(server), b"{", Origin=PAGE)
    assert answer.status == 400
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "retry-after" in answer.headers["access-control-expose-headers"].lower()
