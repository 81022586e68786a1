"""schemathesis asks every route what /openapi.json says can be asked, and much that cannot.

TEST_SCHEMA_CASES is how many requests it makes up for each of some forty operations, on top of
those that it always makes: well over 100 in all by default, over 1,000 with `make test-all`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support.doors import SECRET, token_of
from tests.support.server import ROOT, Server
from tests.support.sse import SseStream

CASES = int(os.environ.get("TEST_SCHEMA_CASES") or 3)
SEED = 20261120
TIMEOUT_S = 240 + 3 * CASES
QUICK = {"STREAM_DELAY_S": 0, "HEARTBEAT_S": 0.2, "LOG_LEVEL": "WARNING"}
CONFIG = """
hooks = "tests.support.schema_hooks"
seed = {seed}
request-timeout = 20
max-stream-events = 10000
continue-on-failure = true
warnings = false

[generation]
max-examples = {cases}
database = "none"

[checks]
# What no schema says: a provider must be set up, a conversation there, a session not busy, ...
positive_data_acceptance.enabled = false
# A session has two paths, and is made anew by a message that names it: what was deleted by one path
# is gone from the other, and what was deleted may be there again. Both are taken for losses.
ensure_resource_availability.enabled = false
use_after_free.enabled = false

# This stream has no end: what came of it in this time is looked at, a few times only. A busy
# machine may not have begun to answer by then: it is asked again, up to a minute later.
[[operations]]
include-operation-id = "sessions_follow_session"
request-timeout = 0.3
request-retries = 8
generation.max-examples = 10

[[operations]]
include-operation-id = "news_follow_all"
request-timeout = 0.3
request-retries = 8
generation.max-examples = 10
"""


def check(server: Server, folder: Path, *options: str) -> None:
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.format(seed=SEED, cases=CASES))
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config)]
    command += ["run", f"{server.url}/openapi.json", "--no-color", *options]
    # Elsewhere than in the repository: it keeps notes where it runs.
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    print(found.stdout)
    assert found.returncode == 0, found.stdout + found.stderr
    # Requests that are all refused would say nothing of replies.
    assert server.status()["runs"]["ended"] > CASES
    assert server.stop(60) == 0


@pytest.mark.timeout(TIMEOUT_S)
def test_everybody_gets_what_is_described(start_server, tmp_path):
    check(start_server(**QUICK), tmp_path)


@pytest.mark.timeout(TIMEOUT_S)
def test_who_has_a_token_gets_what_is_described(start_server, tmp_path):
    server = start_server(**QUICK, JWT_SECRET=SECRET)
    token = token_of("schema", expires_in=10 * TIMEOUT_S)
    check(server, tmp_path, "--header", f"Authorization: Bearer {token}")


def test_the_news_of_a_session_are_as_described(server):
    session_id = uuid.uuid4().hex
    server.post("/api/chat/sessions", {"session_id": session_id})
    news = SseStream(server, "GET", f"/api/chat/sessions/{session_id}/events")
    server.post("/api/chat", {"message": "Hello", "session_id": session_id})

    told = [event.data for event in news.take(2)]

    document = server.get("/openapi.json").json
    schema = {"$ref": "#/components/schemas/RunNews", "components": document["components"]}
    for one in told:
        Draft202012Validator(schema).validate(one)
    assert ["status" in one for one in told] == [False, True]
