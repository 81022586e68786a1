"""A start over HTTP in one process: streamed, whole, joined, resumed, refused, left."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.run_errors import UpstreamAuth
from app.server import Tandem
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.speakers import DETAIL
from tests.transports.conftest import built

HELLO = {"message": "Hello", "provider": "scripted"}
OPENAI = {"model": "scripted-1", "messages": [{"role": "user", "content": "Hello"}]}
UNLIMITED = {name: "off" for name in ("RATE_LIMIT_STREAM", "RATE_LIMIT_CHAT", "RATE_LIMIT_READ")}


class Gone:
    """A client that hung up."""

    def __call__(self) -> bool:
        return True

    def is_gone(self, asks: bool = False) -> bool:
        return True


GONE = {"tandem.has_hung_up": Gone()}


@pytest.fixture(scope="module")
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture(scope="module")
def server(provider: ScriptedProvider) -> Tandem:
    return built({provider.name: provider}, **UNLIMITED)


@pytest.fixture
def scripted(provider: ScriptedProvider) -> ScriptedProvider:
    """The provider of the server, which nobody has asked anything yet."""
    provider.requests.clear()
    return provider


@pytest.fixture
def client(server: Tandem) -> FlaskClient:
    found: FlaskClient = server.app.test_client()
    return found


def events(answer: TestResponse) -> list[dict[str, Any]]:
    lines = answer.get_data(as_text=True).split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def text_of(answer: TestResponse) -> str:
    return "".join(event.get("token", "") for event in events(answer))


def said(client: FlaskClient, session_id: str) -> list[str]:
    """Have one message answered in the session; return the ids of what it has then."""
    client.post("/api/chat", json={**HELLO, "session_id": session_id})
    path = f"/api/chat/sessions/{session_id}/messages"
    return [one["id"] for one in client.get(path).get_json()["messages"]]


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
def test_conversation_that_was_deleted_is_not_made_anew(client: FlaskClient, path: str) -> None:
    ids = said(client, "deleted")
    client.delete("/api/chat/sessions/deleted")
    expecting: list[dict[str, Any]] = [
        {"session_must_exist": True},
        {"parent_id": ids[1]},
        {"edit": ids[0]},
        {"regenerate": ids[1], "message": None},
    ]
    for more in expecting:
        answer = client.post(path, json={**HELLO, "session_id": "deleted", **more})
        error = answer.get_json()["error"]
        assert (answer.status_code, error["code"], error["retryable"]) == (
            404,
            "session_gone",
            False,
        )
    assert client.get("/api/chat/sessions/deleted").status_code == 404


def test_message_is_answered_in_the_branch_it_was_written_in(
    client: FlaskClient, scripted: ScriptedProvider
) -> None:
    seen = said(client, "two-tabs")[-1]
    client.post("/api/chat", json={**HELLO, "message": "Other tab", "session_id": "two-tabs"})
    client.post("/api/chat", json={**HELLO, "session_id": "two-tabs", "parent_id": seen})

    texts = [message.text for message in scripted.requests[-1].messages]
    assert texts == ["Hello", "Hello there", "Hello"]


def test_message_under_none_of_the_session_changes_nothing(client: FlaskClient) -> None:
    ids = said(client, "strict")
    wrong = {**HELLO, "session_id": "strict", "parent_id": "none"}
    answer = client.post("/api/chat/stream", json=wrong)

    assert answer.status_code == 400
    fields = {"parent_id": "must be a message of this session"}
    assert answer.get_json()["error"]["fields"] == fields
    messages = client.get("/api/chat/sessions/strict/messages").get_json()["messages"]
    assert [one["id"] for one in messages] == ids


def test_end_has_the_whole_text_unless_it_is_not_wanted(client: FlaskClient) -> None:
    streamed = client.post("/api/chat/stream", json={**HELLO, "full_response": False})
    run_id = streamed.headers["X-Run-Id"]
    followed = client.get(f"/api/runs/{run_id}/events?full_response=false")
    whole = client.get(f"/api/runs/{run_id}/events")

    found = ["full_response" in events(one)[-1] for one in (streamed, followed, whole)]
    assert found == [False, False, True]


def test_a_stream_has_the_reply_and_the_headers_of_its_run(client: FlaskClient) -> None:
    answer = client.post("/api/chat/stream", json=HELLO)

    last = events(answer)[-1]
    assert (text_of(answer), last["done"]) == ("Hello there", True)
    assert answer.headers["X-Run-Id"] == last["run_id"]
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"


def test_bare_text_is_for_who_asks_for_nothing_else(client: FlaskClient) -> None:
    answer = client.post("/api/chat/stream", json=HELLO, headers={"Accept": "text/plain"})

    assert (answer.mimetype, answer.data) == ("text/plain", b"Hello there")


def test_a_whole_answer_is_json_with_the_same_headers(client: FlaskClient) -> None:
    answer = client.post("/api/chat", json=HELLO)

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.get_json()["run_id"] == answer.headers["X-Run-Id"]


@pytest.mark.parametrize("path", ["/api/chat/stream", "/api/chat"])
def test_the_same_key_joins_the_run(
    client: FlaskClient, scripted: ScriptedProvider, path: str
) -> None:
    key = {"Idempotency-Key": path}
    first, second = (client.post(path, json=HELLO, headers=key) for _ in range(2))
    other = client.post(path, json=HELLO | {"message": "x"}, headers=key)

    assert first.data == second.data
    assert len(scripted.requests) == 1
    assert (other.status_code, other.headers["X-Run-Id"]) == (409, first.headers["X-Run-Id"])


def test_a_start_sent_again_with_a_cursor_goes_on(
    client: FlaskClient, scripted: ScriptedProvider
) -> None:
    first = client.post("/api/chat/stream", json=HELLO)
    run_id, end = first.headers["X-Run-Id"], events(first)[-1]["seq"]

    def again(seq: int) -> TestResponse:
        return client.post(
            "/api/chat/stream", json=HELLO, headers={"Last-Event-ID": f"{run_id}:{seq}"}
        )

    rest, nothing = again(1), again(end)
    assert text_of(rest) == " there"
    assert (nothing.status_code, nothing.headers["X-Run-Id"]) == (204, run_id)
    assert len(scripted.requests) == 1


def test_pieces_have_their_speed_for_who_asks(client: FlaskClient) -> None:
    answer = client.post("/api/chat/stream", json=HELLO | {"stats": True})
    run_id = answer.headers["X-Run-Id"]
    again, without = (
        events(client.get(f"/api/runs/{run_id}/events{query}")) for query in ("?stats=1", "")
    )

    assert events(answer) == again
    for event in again[:-1]:
        assert isinstance(event.pop("tokens_per_second"), float)
    assert again == without


def test_a_whole_answer_cannot_be_resumed(client: FlaskClient, scripted: ScriptedProvider) -> None:
    refused = client.post("/api/chat", json=HELLO, headers={"Last-Event-ID": "run:1"})

    assert refused.status_code == 400
    assert refused.get_json()["error"]["fields"].keys() == {"Last-Event-ID"}
    assert scripted.requests == []


@pytest.mark.parametrize(
    "path, body",
    [
        ("/api/chat", HELLO),
        ("/v1/chat/completions", OPENAI),
        ("/v1/chat/completions", OPENAI | {"stream": True}),
    ],
)
def test_a_failure_before_the_first_piece_is_a_status_where_headers_wait(
    client: FlaskClient, scripted: ScriptedProvider, path: str, body: dict[str, Any]
) -> None:
    scripted.enqueue(UpstreamAuth())

    failed = client.post(path, json=body)

    assert (failed.status_code, failed.mimetype) == (UpstreamAuth.http_status, "application/json")
    assert failed.get_json()["error"]["code"] == UpstreamAuth.code
    assert failed.headers["X-Run-Id"]


def test_a_failure_of_a_stream_is_its_last_event(
    client: FlaskClient, scripted: ScriptedProvider
) -> None:
    scripted.enqueue("Hel", UpstreamAuth())

    answer = client.post("/api/chat/stream", json=HELLO)

    assert (answer.status_code, text_of(answer)) == (200, "Hel")
    assert events(answer)[-1]["code"] == UpstreamAuth.code


def test_who_hangs_up_before_the_first_piece_stops_a_run_of_openais_dialect(
    client: FlaskClient, scripted: ScriptedProvider
) -> None:
    never = threading.Event()
    scripted.enqueue(never, "too late", STOP)

    left = client.post(
        "/v1/chat/completions",
        json=OPENAI | {"stream": True},
        environ_overrides=GONE,
    )

    never.set()
    run = client.get(f"/api/runs/{left.headers['X-Run-Id']}").get_json()
    assert (run["status"], run["finish_reason"]) == ("stopped", "stopped")


def test_who_hangs_up_while_headers_are_held_may_have_asked_that_the_run_goes_on(
    client: FlaskClient, scripted: ScriptedProvider
) -> None:
    late = threading.Event()
    scripted.enqueue(late, "at last", STOP)

    left = client.post(
        "/v1/chat/completions",
        json=OPENAI | {"stream": True, "on_disconnect": "continue"},
        environ_overrides=GONE,
    )

    late.set()
    assert "at last" in text_of(client.get(f"/api/runs/{left.headers['X-Run-Id']}/events"))


def test_who_hangs_up_leaves_a_whole_answer_to_nobody(
    client: FlaskClient, scripted: ScriptedProvider
) -> None:
    never = threading.Event()
    scripted.enqueue(never, "Hello", STOP)

    left = client.post("/api/chat", json=HELLO, environ_overrides=GONE)

    never.set()
    assert (left.status_code, left.data) == (204, b"")


def test_a_start_over_its_rate_is_refused_before_anything_is_stored() -> None:
    provider = ScriptedProvider()
    server = built({provider.name: provider}, RATE_LIMIT_STREAM="1 per hour")
    client = server.app.test_client()
    client.environ_base["REMOTE_ADDR"] = "192.0.2.77"

    first, second = (client.post("/api/chat/stream", json=HELLO) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["Retry-After"]) > 0
    assert len(client.get("/api/chat/sessions").get_json()["sessions"]) == 1
    assert client.get("/api/status").get_json()["errors"] == {"rate_limited": 1}


@pytest.mark.parametrize(
    "path, of_the_dialect",
    [
        ("/api/runs/none", {"error"}),
        ("/v1/models/none", {"error"}),
        ("/sessions/none", DETAIL),
        ("/v1/nothing", {"error"}),
        ("/sessions/x/nothing", DETAIL),
    ],
)
def test_what_is_absent_is_said_as_the_dialect_says_it(
    client: FlaskClient, path: str, of_the_dialect: set[str]
) -> None:
    absent = client.get(path)

    assert absent.status_code == 404
    assert of_the_dialect <= absent.get_json().keys()
