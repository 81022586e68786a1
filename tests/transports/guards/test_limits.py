"""How often and how much: one bucket whatever the transport, and a clear answer to what is over."""

from __future__ import annotations

MINUTE_S = 60


def over_sse(server, client=None, **headers):
    """Start a reply; return None, or the error."""
    answer = server.post("/api/chat/stream", {"message": "hi"}, **headers)
    return None if answer.status == 200 else answer.json["error"]


def assert_limited(answer):
    assert (answer.status, answer.code) == (429, "rate_limited")
    wait_s = answer.json["error"]["retry_after_s"]
    assert answer.headers["retry-after"] == str(wait_s)
    assert 1 <= wait_s <= MINUTE_S


def test_a_request_that_is_not_understood_does_not_count(start_server):
    server = start_server(RATE_LIMIT_STREAM="2 per minute")
    for _ in range(5):
        assert server.post("/api/chat/stream", {"message": ""}).code == "invalid_request"
    assert [over_sse(server), over_sse(server)] == [None, None]


def test_whole_answers_have_a_bucket_of_their_own(start_server):
    server = start_server(RATE_LIMIT_CHAT="2 per minute")
    for _ in range(2):
        assert server.post("/api/chat", {"message": "hi"}).status == 200
    assert_limited(server.post("/api/chat", {"message": "hi", "session_id": "never"}))
    assert over_sse(server) is None
    assert server.get("/api/chat/sessions/never").code == "not_found"
