"""What upstream says of its failure: to whom it is told, and what of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from app.settings import BadSetting
from tests.support.in_process import InProcess, built
from tests.support.sse import stream_chat
from tests.support.upstream import PLANTED_KEY, Upstream, in_turn, say

PROMPT = "My dog Rex ate the 17 blue envelopes"
MESSAGE = f"Invalid parameter foo ({PLANTED_KEY}) in {PROMPT!r}"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    body = {"error": {"message": MESSAGE, "code": "bad_foo", "type": "invalid_request_error"}}
    said = json.dumps(body).encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    server.reply = lambda exchange: exchange.raw(head + said)
    yield server
    server.close()


def serve(upstream: Upstream, **settings: object) -> InProcess:
    return InProcess(OPENAI_BASE_URL=upstream.url, OPENAI_API_KEY=PLANTED_KEY, **settings)


def ask_and_see(server: InProcess) -> tuple[str, dict[str, str]]:
    """Return all frames of a reply that fails, and its last event."""
    events = stream_chat(server, PROMPT).rest()
    whole = server.post("/api/chat", {"message": PROMPT}).body.decode()
    record = server.get(f"/api/runs/{events[-1].data['run_id']}").body.decode()
    server.stop()
    return str(events) + whole + record, events[-1].data


def test_log_has_it_and_clients_have_not(upstream: Upstream) -> None:
    server = serve(upstream)
    seen, last = ask_and_see(server)

    assert "Invalid parameter" not in seen and "bad_foo" not in seen
    assert (last["code"], "details" in last) == ("upstream_rejected", False)
    logs = server.logs()
    assert "Invalid parameter foo" in logs and "bad_foo" in logs
    assert "invalid_request_error" in logs and "'upstream_status': 400" in logs
    assert "envelopes" not in logs and PLANTED_KEY not in logs
    failed = [line for line in server.log.lines if "run failed" in line]
    assert failed and all(line.startswith("WARNING") for line in failed)


def test_words_can_be_kept_out_of_the_log(upstream: Upstream) -> None:
    server = serve(upstream, LOG_UPSTREAM_ERRORS=0)
    ask_and_see(server)

    logs = server.logs()
    assert "Invalid parameter" not in logs
    assert "bad_foo" in logs and "'upstream_status': 400" in logs


def test_operator_on_their_own_machine_may_see_it(upstream: Upstream) -> None:
    seen, last = ask_and_see(serve(upstream, SHOW_UPSTREAM_ERRORS=1))

    assert last["details"].startswith("status 400, bad_foo, Invalid parameter foo")
    assert seen.count("Invalid parameter foo") == 3  # the event, the answer, the record
    assert PLANTED_KEY not in seen and "envelopes" not in seen


@pytest.mark.parametrize(
    "others",
    [
        {"HOST": "0.0.0.0", "ALLOW_ANONYMOUS": 1},
        {"JWT_SECRET": "x" * 32},
        {"JWT_SECRET": "x" * 32, "AUTH": "optional"},
    ],
)
def test_others_never_see_it(others: dict[str, object]) -> None:
    with pytest.raises(BadSetting, match="SHOW_UPSTREAM_ERRORS is '1'.*must be 0 unless HOST"):
        built(SHOW_UPSTREAM_ERRORS=1, **others)


def test_reply_of_nothing_was_not_cut_off(upstream: Upstream) -> None:
    server = serve(upstream)
    upstream.reply = in_turn(say([], reason=None), say(["kept"], reason=None, mark=False))
    first, second = (stream_chat(server, "hi").rest()[-1].data for _ in range(2))
    server.stop()

    assert first["code"] == second["code"] == "upstream_incomplete"
    assert "cut off" in second["error"]
    assert "cut off" not in first["error"] and "no reply" in first["error"]


def test_models_say_how_they_are_asked_otherwise(upstream: Upstream) -> None:
    server = serve(upstream, OPENAI_MODEL="m-1")
    refusal = {"error": {"message": "x", "param": "stream_options", "code": "unknown_parameter"}}
    said = json.dumps(refusal).encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    upstream.reply = in_turn(lambda exchange: exchange.raw(head + said), say(["Hello"]))
    events = stream_chat(server, "hi").rest()
    first, *others = server.get("/api/models").json["providers"]
    server.stop()

    assert events[-1].data["full_response"] == "Hello"
    assert first["adapted"] == {"m-1": ["no stream_options"]}
    assert all(one["adapted"] == {} for one in others)
