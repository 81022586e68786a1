"""Who may: a good token opens what is its owner's on both transports, and nothing else does."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import time
import uuid

import jwt
import pytest

from tests.support.doors import SECRET, auth_of, bearer, refused_connect, token_of, without_error_id
from tests.support.server import ROOT
from tests.support.sse import stream_chat, text_of

AUDIENCE = "tandem"
TRANSPORTS = ["websocket", "polling"]


def good(subject="alice", **claims):
    return token_of(subject, **{"aud": AUDIENCE, **claims})


def unsigned():
    """Return what a good token says, with `alg: none` and no signature."""
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{good().split('.')[1]}."


BAD_TOKENS = {
    "none": lambda: None,
    "empty": lambda: "",
    "garbage": lambda: "garbage",
    "expired": lambda: good(expires_in=-1),
    "forged": lambda: good(key="another-secret-0123456789abcdefgh"),
    "alg none": unsigned,
    "HS512": lambda: good(algorithm="HS512", key=SECRET * 2),
    "wrong audience": lambda: good(aud="another"),
    "no audience": lambda: good(aud=None),
    "no exp": lambda: good(expires_in=None),
    "no sub": lambda: good(None),
    "empty sub": lambda: good(""),
    "sub is a number": lambda: good(7),
    "half a surrogate pair": lambda: good("\ud800"),
    "10 KB": lambda: good(padding="x" * 10_000),
    "not before tomorrow": lambda: good(nbf=time.time() + 86400),
}


@pytest.fixture(scope="module")
def locked(start_one):
    """A server that wants tokens of SECRET for AUDIENCE; AUTH is not set."""
    return start_one(JWT_SECRET=SECRET, JWT_AUDIENCE=AUDIENCE)


def assert_unauthorized(answer):
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_gets_no_socket(locked, transport, kind):
    auth = auth_of(BAD_TOKENS[kind]())
    assert refused_connect(locked, transport, auth) == "unauthorized"


@pytest.mark.parametrize("auth", [{"token": 7}, {"token": ["x"]}, [], "token", {"jwt": "x"}])
def test_an_auth_object_of_another_form_gets_no_socket(locked, auth):
    assert refused_connect(locked, "websocket", auth) == "unauthorized"


@pytest.mark.parametrize("name", ["token", "access_token", "jwt"])
def test_a_token_in_a_url_is_refused(locked, name):
    answer = locked.get(f"/api/chat/sessions?{name}={good()}")
    assert (answer.status, answer.code) == (400, "invalid_request")
    again = locked.get(f"/api/chat/sessions?{name}={good()}", **bearer(good()))
    assert (again.status, "token" in again.json["error"]["fields"]) == (400, True)
    for transport in TRANSPORTS:
        reason = refused_connect(locked, transport, path=f"/?{name}={good()}")
        assert reason == "unauthorized"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_names_the_user(locked, upstream, connect, scheme):
    headers = {"Authorization": f"{scheme} {good()}"}
    assert locked.post("/api/chat", {"message": "hi"}, **headers).json["user"] == "alice"
    client = connect(locked, auth={"token": good()})
    client.call("chat_stream", {"message": "hi"})
    assert client.wait_for_end()["user"] == "alice"


# --- modes --------------------------------------------------------------------------


def test_optional_lets_in_without_a_token_and_not_with_a_bad_one(start_server, connect):
    server = start_server(JWT_SECRET=SECRET, AUTH="optional")
    assert server.post("/api/chat", {"message": "hi"}).json["user"] == "anonymous"
    assert server.post("/api/chat", {"message": "hi"}, **bearer(token_of())).json["user"] == "alice"
    for token in ("", "garbage", token_of(expires_in=-1)):
        assert_unauthorized(server.get("/api/chat/sessions", **bearer(token)))
        assert refused_connect(server, "websocket", {"token": token}) == "unauthorized"
    client = connect(server)
    client.call("chat_stream", {"message": "hi"})
    assert client.wait_for_end()["user"] == "anonymous"
    titles = {s["title"] for s in server.get("/api/chat/sessions").json["sessions"]}
    assert titles == {"hi"}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_socket_ends_with_its_token_and_its_run_goes_on(locked, upstream, connect, transport):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("one "), go.wait(20), e.delta("two"), e.finish())
    client = connect(locked, transport, auth={"token": good(expires_in=5)})
    run_id = client.call("chat_stream", {"message": "go"})["run_id"]
    client.wait_for(lambda events: any(name == "chat_token" for name, _ in events))
    assert client.disconnected.wait(20)
    assert client.text() == "one "
    record = locked.get(f"/api/runs/{run_id}", **bearer(good())).json
    assert record["status"] == "running"
    go.set()
    again = connect(locked, transport, auth={"token": good()})
    again.call("chat_resume", {"run_id": run_id, "seq": client.tokens()[-1]["seq"]})
    assert again.wait_for_end()["full_response"] == "one two"
    assert client.text() + again.text() == "one two"


# --- the matrix: endpoint x transport x who -----------------------------------------

OVER_SOCKET = ["chat_resume", "chat_stop"]
WHO = {
    "other": lambda: good("bob"),
    "a user of a similar name": lambda: good("ALICE"),
    "anonymous": lambda: None,
    "expired": lambda: good(expires_in=-1),
}
ABSENT = "0" * 32


class Belongings:
    """A session of alice's, with a run under way until `go` is set."""

    def __init__(self, server, upstream):
        self.server, self.go = server, threading.Event()
        upstream.reply = lambda e: (e.start(), e.delta("a "), self.go.wait(30), e.finish())
        self.session = f"alices-{uuid.uuid4().hex}"
        self.stream = stream_chat(server, "go", session_id=self.session, headers=bearer(good()))
        self.run = self.stream.run_id
        self.stream.take(1)

    def ask(self, method, path, token, **ids):
        ids = {"session": self.session, "run": self.run, **ids}
        return self.server.request(method, path.format(**ids), headers=bearer(token))

    def assert_unchanged(self):
        headers = bearer(good())
        session = self.server.get(f"/api/chat/sessions/{self.session}", **headers).json
        assert (session["active_run"]["run_id"], session["messages"]) == (self.run, 2)
        self.go.set()
        assert text_of(self.stream.rest()) == ""
        assert self.server.get(f"/api/runs/{self.run}", **headers).json["status"] == "completed"


@pytest.fixture
def alices(locked, upstream):
    belongings = Belongings(locked, upstream)
    yield belongings
    belongings.go.set()


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("event", OVER_SOCKET)
def test_what_is_not_yours_is_not_there_over_a_socket(alices, connect, event, transport, who):
    token = WHO[who]()
    if token is None or who == "expired":
        assert refused_connect(alices.server, transport, auth_of(token)) == "unauthorized"
    else:
        client = connect(alices.server, transport, auth=auth_of(token))
        real = client.call(event, {"run_id": alices.run})
        absent = client.call(event, {"run_id": ABSENT})
        assert real["error"]["code"] == "not_found"
        assert without_error_id(real) == without_error_id(absent)
        assert client.events == []
    alices.assert_unchanged()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("event", OVER_SOCKET)
def test_what_is_yours_is_there_over_a_socket(alices, connect, event, transport):
    client = connect(alices.server, transport, auth={"token": good()})
    assert client.call(event, {"run_id": alices.run})["run_id"] == alices.run
    alices.go.set()
    alices.stream.rest()


# --- make token ---------------------------------------------------------------------


def make_token(folder, **settings):
    """Run tools/make_token.py; return (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_token.py")],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_a_made_token_opens_the_door(tmp_path, locked):
    settings = {"JWT_SECRET": SECRET, "JWT_AUDIENCE": AUDIENCE}
    code, token, _ = make_token(tmp_path, SUB="dora", DAYS="0.5", **settings)
    assert code == 0
    claims = jwt.decode(token, SECRET, ["HS256"], audience=AUDIENCE)
    assert abs(claims["exp"] - claims["iat"] - 43200) < 2
    answer = locked.post("/api/chat", {"message": "hi"}, **bearer(token))
    assert answer.json["user"] == "dora"
    assert "details" not in locked.get("/api/status", **bearer(token)).json
