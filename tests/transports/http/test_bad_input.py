"""Bad input on both transports: a clear error that names the field, and nothing is left behind."""

from __future__ import annotations

import pytest

BODIES = [
    (b"", "bad_json", None),
    (b"{", "bad_json", None),
    (b"[]", "bad_json", None),
    (b'"x"', "bad_json", None),
    (b"null", "bad_json", None),
    (b'{"message": "\xff"}', "bad_json", None),
    (b'{"message": "\\ud800"}', "bad_json", None),
    (b'{"message": "x", "temperature": NaN}', "bad_json", None),
    ('{"message": "x"}'.encode("utf-16"), "bad_json", None),
    (b'{"message":' + b"[" * 30000 + b"]" * 30000 + b"}", "bad_json", None),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "bad_json", None),
    (b"{}", "invalid_request", "message"),
    (b'{"message": ""}', "invalid_request", "message"),
    (b'{"message": " \\n "}', "invalid_request", "message"),
    (b'{"message": 5}', "invalid_request", "message"),
    (b'{"message": null}', "invalid_request", "message"),
    (b'{"message": "a\\u0000b"}', "invalid_request", "message"),
    (b'{"message": "x", "session_id": "a/b"}', "invalid_request", "session_id"),
    (b'{"message": "x", "session_id": ".."}', "invalid_request", "session_id"),
    (b'{"message": "x", "session_id": ""}', "invalid_request", "session_id"),
    (b'{"message": "x", "session_id": "%s"}' % (b"a" * 129), "invalid_request", "session_id"),
    (b'{"message": "x", "session_id": 7}', "invalid_request", "session_id"),
    (b'{"message": "x", "temperature": "hot"}', "invalid_request", "temperature"),
    (b'{"message": "x", "temperature": 9}', "invalid_request", "temperature"),
    (b'{"message": "x", "max_tokens": 0}', "invalid_request", "max_tokens"),
    (b'{"message": "x", "partial": "yes"}', "invalid_request", "partial"),
    (b'{"message": "x", "provider": "nobody"}', "invalid_request", "provider"),
    (b'{"message": "x", "model": "a\\u0000"}', "invalid_request", "model"),
    (b'{"message": "%s"}' % (b"a" * 128_001), "too_large", "message"),
]


@pytest.mark.parametrize("body, code, field", BODIES, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("path", ["/api/chat/stream", "/api/chat"])
def test_bad_bodies_over_http(server, upstream, path, body, code, field):
    before = server.status()
    answer = server.post(path, body)
    assert answer.status == (413 if code == "too_large" else 400)
    error = answer.json["error"]
    assert error["code"] == code and error["error_id"].startswith("ERR_")
    if field:
        assert field in error["fields"]
    after = server.status()
    assert (after["sessions"], after["runs"]) == (before["sessions"], before["runs"])
    assert upstream.exchanges == []


def test_forms_are_refused(server):
    answer = server.request(
        "POST",
        "/api/chat/stream",
        b"message=hi",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", ""])
def test_other_content_types_are_taken(server, content_type):
    answer = server.post("/api/chat", b'{"message": "hi"}', **{"Content-Type": content_type})
    assert answer.status == 200


@pytest.mark.parametrize(
    "method, path, status, code",
    [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/api/chat/stream", 405, "method_not_allowed"),
        ("DELETE", "/api/chat", 405, "method_not_allowed"),
        ("PUT", "/", 405, "method_not_allowed"),
        ("GET", "/api/runs/x/events", 404, "not_found"),
        ("POST", "/api/runs/x/stop", 404, "not_found"),
        ("GET", "/api/chat/sessions/x/messages", 404, "not_found"),
        ("DELETE", "/api/chat/sessions/x", 404, "not_found"),
        ("GET", "/api/chat/sessions/%00", 404, "not_found"),
        ("GET", "/static/../run.py", 404, "not_found"),
    ],
)
def test_wrong_paths_and_methods_are_json(server, method, path, status, code):
    answer = server.request(method, path)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 405:
        assert answer.headers["allow"]
