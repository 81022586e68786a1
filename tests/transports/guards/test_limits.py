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


def test_answers_say_what_is_left(start_server):
    server = start_server(RATE_LIMIT_CHAT="2 per minute", RATE_LIMIT_READ="9 per hour")
    answers = [server.post("/api/chat", {"message": "hi"}) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"chat";q=2;w=60'}
    retry = answers[2].headers["retry-after"]
    assert answers[2].headers["ratelimit"] == f'"chat";r=0;t={retry}'
    read = server.get("/api/chat/sessions", Origin="http://localhost:3000")
    assert read.headers["ratelimit"].startswith('"read";r=8;t=')
    exposed = read.headers["access-control-expose-headers"].lower()
    assert {"ratelimit", "ratelimit-policy", "x-ratelimit-limit"} <= set(exposed.split(", "))


def test_what_counts_to_no_bucket_says_nothing_of_one(start_server):
    server = start_server(RATE_LIMIT_STREAM="2 per minute", RATE_LIMIT_CHAT="off")

    for answer in (
        server.get("/health"),
        server.post("/api/chat/stream", {"message": ""}),
        server.post("/api/chat", {"message": "hi"}),
    ):
        assert not {"ratelimit", "x-ratelimit-limit"} & set(answer.headers)
