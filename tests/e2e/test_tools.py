"""What an operator can ask: who answers, what a provider lacks, whether everything works. With no
network and no key the demo answers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.calling import calls
from tests.support.server import ROOT
from tests.support.upstream import PLANTED_KEY, in_turn, refuse, say, silent

NOT_SET_UP = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
SECRET = "upstream-secret-text"


def run_tool(name, folder, **settings):
    """Run a tool as an operator does; return its exit code and what it printed."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "FIND_OLLAMA": "0", **settings}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "tools" / name)],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout


# --- nothing is set up --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(start_one):
    """A server without a key."""
    return start_one(**NOT_SET_UP)


def test_demo_answers(bare):
    answer = bare.post("/api/chat", {"message": "is anybody there"}).json
    assert answer["provider"] == "demo" and "is anybody there" in answer["response"]


def nothing(missing):
    return {"missing": missing, "adapted": {}}


def test_models_says_what_to_set(bare):
    answer = bare.get("/api/models").json
    assert answer["default"] == "demo"
    assert answer["providers"] == [
        {
            "name": "demo",
            "model": "demo",
            "models": ["demo"],
            "images": {"demo": None},
            "ready": True,
            **nothing(None),
        },
        *(
            {
                "name": name,
                "model": None,
                "models": [],
                "images": {},
                "ready": False,
                **nothing(setting),
            }
            for name, setting in (
                ("openai", "OPENAI_API_KEY"),
                ("google", "GEMINI_API_KEY"),
                ("anthropic", "ANTHROPIC_API_KEY"),
                ("local", "LOCAL_LLM_URL"),
                ("fault", "FAULT"),
                ("replay", "REPLAY_DIR"),
            )
        ),
    ]


@pytest.mark.parametrize(
    "name,setting",
    [
        *(("openai", "OPENAI_API_KEY"), ("google", "GEMINI_API_KEY"), ("gemini", "GEMINI_API_KEY")),
        *(("anthropic", "ANTHROPIC_API_KEY"), ("claude", "ANTHROPIC_API_KEY")),
        *(("local", "LOCAL_LLM_URL"), ("ollama", "LOCAL_LLM_URL"), ("replay", "REPLAY_DIR")),
    ],
)
def test_provider_that_is_asked_for_says_what_it_lacks(bare, name, setting):
    answer = bare.post("/api/chat", {"message": "hi", "provider": name})
    assert (answer.status, answer.code) == (400, "provider_not_configured")
    assert setting in answer.json["error"]["message"]


def test_models_are_those_that_are_set_up_the_default_first(start_server):
    server = start_server(
        OPENAI_API_KEY=PLANTED_KEY,
        OPENAI_MODEL="big",
        LOCAL_LLM_URL="http://127.0.0.1:1/v1",
        LOCAL_LLM_MODEL="small",
        DEFAULT_PROVIDER="ollama",
    )
    answer = server.get("/api/models")
    ready = [(one["name"], one["model"]) for one in answer.json["providers"] if one["ready"]]
    assert (answer.json["default"], ready) == (
        "local",
        [("local", "small"), ("openai", "big"), ("demo", "demo")],
    )
    assert PLANTED_KEY.encode() not in answer.body
    listed = server.get("/v1/models").json["data"]
    assert [(one["owned_by"], one["id"]) for one in listed] == ready


def test_default_provider_that_is_not_set_up_stops_the_start(start_server):
    with pytest.raises(AssertionError, match="GEMINI_API_KEY"):
        start_server(DEFAULT_PROVIDER="gemini")


@pytest.mark.parametrize(
    "settings,said",
    [
        ({"PRICES_FILE": "no-such-file.toml"}, "PRICES_FILE"),
        ({"FALLBACK_PROVIDERS": "google"}, "FALLBACK_PROVIDERS"),
        ({"FALLBACK_PROVIDERS": "nobody"}, "FALLBACK_PROVIDERS"),
        ({"FAULT": "explode:3"}, "FAULT"),
        ({"FAULT": "drop:1", "FAULT_PROVIDER": "google"}, "FAULT_PROVIDER"),
    ],
)
def test_setting_that_is_wrong_stops_the_start_and_is_named(start_server, settings, said):
    with pytest.raises(AssertionError, match=said):
        start_server(**settings)


# --- tools/check_providers.py -------------------------------------------------------------------


def check(folder, **settings):
    return run_tool("check_providers.py", folder, **settings)


def test_check_says_what_to_set(tmp_path):
    code, said = check(tmp_path)
    lines = said.splitlines()
    assert code == 0
    assert lines[0].startswith("demo (demo): works: ")
    assert "openai: not set up: set OPENAI_API_KEY in .env" in lines
    assert "google: not set up: set GEMINI_API_KEY in .env" in lines
    assert "local: not set up: set LOCAL_LLM_URL in .env" in lines


def page(exchange):
    exchange.start("200 OK", "text/html")
    exchange.chunk(b"<!DOCTYPE html><p>Hello")
    exchange.raw(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "reply,sentence",
    [
        (say(["hello"]), "works: 5 characters in "),
        (refuse("401 Unauthorized"), "refused: OPENAI_API_KEY"),
        (refuse("404 Not Found"), "knows no such model, or is no model server: OPENAI_MODEL"),
        (refuse("429 No", "Retry-After: 9"), "answers, but limits us: wait"),
        (refuse("400 Bad Request"), "refuses the request: OPENAI_MODEL"),
        (refuse("402 Payment Required"), "answers, but the account has no credit"),
        (refuse("407 No"), "cannot be reached through the proxy"),
        (refuse("451 No"), "is behind a firewall that blocks us"),
        (refuse("500 Oops"), "fails, or redirects: look at its own log (status 500)"),
        (page, "knows no such model, or is no model server: OPENAI_MODEL, OPENAI_BASE_URL"),
        (lambda e: (e.start("200 OK", "text/html"), e.cut()), "answers, but with no reply"),
        (lambda e: e.cut(), "cannot be reached: OPENAI_BASE_URL"),
    ],
)
def test_check_says_in_a_sentence_what_is_wrong(tmp_path, upstream, reply, sentence):
    upstream.reply = reply
    code, said = check(tmp_path, OPENAI_API_KEY=PLANTED_KEY, OPENAI_BASE_URL=upstream.url)
    assert f"openai (gpt-5-mini): {sentence}" in said
    assert code == (0 if "works" in sentence else 1)
    # No second tries, which would hide what is wrong; but what works is asked for a call, too.
    assert len(upstream.exchanges) == (2 if "works" in sentence else 1)
    assert PLANTED_KEY not in said


@pytest.mark.parametrize(
    "reply,sentence",
    [
        (calls(("ping", {})), "; calls tools"),
        (say(["hello"]), "; was given a tool and called none"),
        (refuse("400 Bad Request"), "; with tools it refuses the request: OPENAI_MODEL"),
    ],
)
def test_check_tries_a_call(tmp_path, upstream, reply, sentence):
    upstream.reply = in_turn(say(["hello"]), reply)
    code, said = check(tmp_path, OPENAI_API_KEY=PLANTED_KEY, OPENAI_BASE_URL=upstream.url)
    assert (code, sentence in said) == (0, True), said


def test_check_reads_the_env_file(tmp_path, upstream):
    lines = (f"OPENAI_API_KEY={PLANTED_KEY}", f"OPENAI_BASE_URL={upstream.url}")
    (tmp_path / ".env").write_text("\n".join(lines))
    code, said = check(tmp_path)
    assert (code, "openai (gpt-5-mini): works" in said) == (0, True)
    assert upstream.exchanges[0].head.count(PLANTED_KEY) == 1


def test_check_says_what_is_wrong_with_the_settings(tmp_path):
    code, said = check(tmp_path, PORT="many")
    assert (code, said.startswith("PORT")) == (1, True)


# --- tools/smoke.py -----------------------------------------------------------------------------


def smoke(server, folder, **settings):
    return run_tool("smoke.py", folder, URL=server.url, **settings)


def test_smoke_of_a_server_that_works(start_server, upstream, tmp_path):
    server = start_server(OPENAI_API_KEY=PLANTED_KEY)
    code, said = smoke(server, tmp_path)
    assert code == 0, said
    assert said.count("  ok  ") == 11 and "FAILED" not in said
    assert server.get("/api/chat/sessions").json["sessions"] == []  # it cleans up


def test_smoke_of_the_demo(bare, tmp_path):
    code, said = smoke(bare, tmp_path)
    assert code == 0, said


def test_smoke_of_a_server_whose_upstream_fails(start_server, upstream, tmp_path):
    upstream.reply = refuse("500 Oops", f"X-Why: {SECRET}")
    server = start_server(OPENAI_API_KEY=PLANTED_KEY)
    code, said = smoke(server, tmp_path)
    assert code == 1
    assert "FAILED  POST /api/chat/stream: upstream_error" in said
    assert "FAILED  POST /api/runs/<id>/stop" in said
    assert "ok      GET /health" in said
    assert SECRET not in said and PLANTED_KEY not in said


def test_smoke_of_a_server_that_is_silent(start_server, upstream, tmp_path):
    upstream.reply = silent
    server = start_server(FIRST_DELTA_TIMEOUT_S=0.3)
    code, said = smoke(server, tmp_path)
    assert (code, "upstream_timeout" in said) == (1, True)


def test_smoke_of_no_server(tmp_path):
    code, said = run_tool("smoke.py", tmp_path, URL="http://127.0.0.1:1")
    assert (code, "FAILED  GET /health" in said) == (1, True)
