"""Who may: a good token opens what is its owner's on both transports, and nothing else does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
import uuid

# By name: eventlet puts its own module into the place that `http.server` is found in.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.doors import SECRET, bearer, token_of, without_ids
from tests.support.server import ROOT
from tests.support.sse import stream_chat, text_of

AUDIENCE = "tandem"
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


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


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_is_refused_over_http(locked, upstream, kind):
    headers = bearer(BAD_TOKENS[kind]())
    before = locked.status()
    assert_unauthorized(locked.post("/api/chat/stream", {"message": "hi"}, **headers))
    assert_unauthorized(locked.post("/api/chat", {"message": "hi"}, **headers))
    assert_unauthorized(locked.get("/api/chat/sessions", **headers))
    after = locked.status()
    assert (after["sessions"], after["runs"]) == (before["sessions"], before["runs"])
    assert upstream.exchanges == []


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "bearer  ", "Token x", "\xff"])
def test_another_authorization_header_is_refused(locked, header):
    assert_unauthorized(locked.get("/api/chat/sessions", Authorization=header))


@pytest.mark.parametrize("name", ["X-Api-Key", "api-key"])
def test_a_key_is_the_token_where_there_is_no_authorization(locked, name):
    def status(key, **headers):
        return locked.get("/api/chat/sessions", **{name: key}, **headers).status

    assert status(good()) == 200
    assert status("garbage") == status("") == 401
    assert status(good(), Authorization="Basic YTpi") == 401
    assert status("garbage", **bearer(good())) == 200


def test_the_page_and_the_status_are_open(locked):
    for path in ("/", "/health", "/api/status", "/static/icon.svg"):
        answer = locked.get(path)
        assert answer.status == 200, path
        assert "www-authenticate" not in answer.headers


def test_an_expiry_written_as_a_string_counts(locked):
    for expires_in, status in ((60, 200), (-60, 401)):
        token = good(expires_in=None, exp=str(int(time.time() + expires_in)))
        assert locked.get("/api/chat/sessions", **bearer(token)).status == status


# --- public keys --------------------------------------------------------------------


def test_a_public_key_takes_rs256_and_not_itself_as_a_secret(start_server):
    server = start_server(JWT_PUBLIC_KEY=PUBLIC_PEM.decode().replace("\n", "\\n"))
    token = token_of(key=PRIVATE, algorithm="RS256")
    assert server.get("/api/chat/sessions", **bearer(token)).status == 200
    head, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256"}, {"sub": "alice", "exp": time.time() + 60})
    )
    # pyjwt refuses to sign with a PEM, as it should; an attacker does not use pyjwt.
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        head + b"." + claims, PUBLIC_PEM
    )
    confused = b".".join([head, claims, base64.urlsafe_b64encode(signature).rstrip(b"=")])
    assert_unauthorized(server.get("/api/chat/sessions", **bearer(confused.decode())))
    assert_unauthorized(server.get("/api/chat/sessions", **bearer(token_of())))


@pytest.fixture
def issuer():
    """An issuer that publishes PRIVATE's public key as `k1`; it counts how often it is asked."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(PRIVATE.public_key()))
    keys = json.dumps({"keys": [{**key, "kid": "k1", "use": "sig", "alg": "RS256"}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):  # noqa: N802  (the library's name)
            Handler.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(keys)))
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *args):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found, Handler
        found.shutdown()


def test_the_issuers_published_keys_are_taken(start_server, issuer):
    found, handler = issuer
    server = start_server(JWKS_URL=f"http://127.0.0.1:{found.server_port}/jwks.json")
    token = token_of(key=PRIVATE, algorithm="RS256", headers={"kid": "k1"})
    assert server.get("/api/chat/sessions", **bearer(token)).status == 200
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for kid, key in (("k1", other), ("k2", other), (None, other)):
        forged = token_of(key=key, algorithm="RS256", headers={"kid": kid} if kid else {})
        assert_unauthorized(server.get("/api/chat/sessions", **bearer(forged)))
    assert_unauthorized(server.get("/api/chat/sessions", **bearer(token_of())))
    assert_unauthorized(server.get("/api/chat/sessions", **bearer("garbage")))
    assert handler.asked <= 2  # a stranger cannot make us ask the issuer at will


def test_an_issuer_that_is_not_there_lets_nobody_in(start_server):
    server = start_server(JWKS_URL="http://127.0.0.1:1/jwks.json")
    token = token_of(key=PRIVATE, algorithm="RS256", headers={"kid": "k1"})
    assert_unauthorized(server.get("/api/chat/sessions", **bearer(token)))
    assert server.get("/health").status == 200


# --- modes --------------------------------------------------------------------------


def test_nobody_can_name_themselves_anonymous(start_server):
    server = start_server(JWT_SECRET=SECRET, AUTH="optional")
    session = server.post("/api/chat", {"message": "hi"}).json["session_id"]
    headers = bearer(token_of("anonymous"))
    assert server.get(f"/api/chat/sessions/{session}", **headers).code == "not_found"


# --- the matrix: endpoint x transport x who -----------------------------------------

OVER_HTTP = {
    "GET session": ("GET", "/api/chat/sessions/{session}"),
    "GET messages": ("GET", "/api/chat/sessions/{session}/messages"),
    "DELETE session": ("DELETE", "/api/chat/sessions/{session}"),
    "GET run": ("GET", "/api/runs/{run}"),
    "GET run events": ("GET", "/api/runs/{run}/events"),
    "GET run events after": ("GET", "/api/runs/{run}/events?after=1"),
    "POST stop": ("POST", "/api/runs/{run}/stop"),
}
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
@pytest.mark.parametrize("endpoint", OVER_HTTP)
def test_what_is_not_yours_is_not_there_over_http(alices, endpoint, who):
    method, path = OVER_HTTP[endpoint]
    token = WHO[who]()
    real = alices.ask(method, path, token)
    absent = alices.ask(method, path, token, session=ABSENT, run=ABSENT)
    if token is None or who == "expired":
        assert_unauthorized(real)
    else:
        assert (real.status, real.code) == (404, "not_found")
    assert without_ids(real) == without_ids(absent)
    alices.assert_unchanged()


@pytest.mark.parametrize("endpoint", OVER_HTTP)
def test_what_is_yours_is_there_over_http(alices, endpoint):
    method, path = OVER_HTTP[endpoint]
    if "events" in path:
        alices.go.set()  # else the answer has no end
    answer = alices.ask(method, path, good())
    assert answer.status == 200
    assert alices.run in answer.body.decode() or endpoint == "DELETE session"


@pytest.mark.parametrize("who", WHO)
def test_the_list_of_sessions_has_only_yours(alices, who):
    token = WHO[who]()
    listed = alices.server.get("/api/chat/sessions", **bearer(token))
    if token is None or who == "expired":
        assert_unauthorized(listed)
    else:
        assert listed.body == alices.ask("GET", "/api/chat/sessions", good("newcomer")).body
    assert alices.session in alices.server.get("/api/chat/sessions", **bearer(good())).body.decode()


def test_the_same_session_id_is_another_session_for_another(alices, upstream):
    alices.go.set()
    alices.stream.rest()
    fields = {"message": "mine", "session_id": alices.session}
    assert alices.server.post("/api/chat", fields, **bearer(good("carol"))).status == 200
    path = f"/api/chat/sessions/{alices.session}/messages"
    texts = [
        [message["content"] for message in alices.ask("GET", path, good(who)).json["messages"]]
        for who in ("alice", "carol")
    ]
    assert texts == [["go", "a "], ["mine", "a "]]


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


def test_an_admins_token_sees_the_runs_under_way_and_not_what_is_said(tmp_path, alices):
    settings = {"JWT_SECRET": SECRET, "JWT_AUDIENCE": AUDIENCE}
    _, token, _ = make_token(tmp_path, SUB="root", ADMIN="1", **settings)
    answer = alices.server.get("/api/status", **bearer(token))
    assert alices.run in {run["run_id"] for run in answer.json["details"]}
    assert "full_response" not in answer.body.decode()
    for other in (None, "garbage", good(), good(admin="true"), good(admin=True, expires_in=-1)):
        assert "details" not in alices.server.get("/api/status", **bearer(other)).json
    assert alices.ask("GET", "/api/runs/{run}", token).code == "not_found"


@pytest.mark.parametrize(
    "settings",
    [
        {"JWT_SECRET": SECRET},
        {"SUB": "dora"},
        {"SUB": "dora", "JWT_SECRET": "short"},
        *(
            {"SUB": "dora", "JWT_SECRET": SECRET, "DAYS": days}
            for days in ("x", "nan", "inf", "-1")
        ),
    ],
    ids=str,
)
def test_a_token_that_cannot_be_made_says_why(tmp_path, settings):
    code, token, why = make_token(tmp_path, **settings)
    assert (code, token) == (2, "")
    assert why.startswith("No token: ") and "Traceback" not in why
    assert SECRET not in why


def test_a_preflight_needs_no_token(start_server):
    server = start_server(JWT_SECRET="s" * 32)
    asked = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization",
    }
    answer = server.request("OPTIONS", "/api/chat/stream", headers=asked)
    assert answer.status == 200
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
