"""The JavaScript client: its own tests in Node, and what it does against a real server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import find_node
from tests.support.node_client import FOLDER, NodeClient, need_node
from tests.support.proxy import CuttingProxy
from tests.support.upstream import Exchange, silent

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]  # the first may install from npm

ROOT = Path(__file__).parents[2]
SUITES = sorted(path.name for path in FOLDER.glob("*.test.mjs"))
SOON = {"firstMs": 1, "mostMs": 20, "times": 10}
PIECES = [f"{n}\u00e9\U0001f600 " for n in range(40)]
TEXT = "".join(PIECES)
TRANSPORTS = ["sse", "socket"]


@pytest.fixture(scope="module", autouse=True)
def node() -> None:
    need_node()


IN_A_PAGE = """async (transport) => {
  const { TandemClient } = await import("/static/js/tandem-client.js");
  const client = new TandemClient({ transport });
  const reply = client.send("go");
  let shown = "";
  for await (const event of reply) if (event.type === "text") shown += event.text;
  const { text, finishReason } = await reply.whole;
  client.close();
  return [shown, text, finishReason];
}"""


@pytest.fixture
def server(lively):
    """A server that soon finds out which of its viewers have gone."""
    return lively


@pytest.fixture
def proxy(server) -> Iterator[CuttingProxy]:
    made = CuttingProxy(server.port)
    yield made
    made.close()


@pytest.fixture
def drive(server) -> Iterator[Callable[..., NodeClient]]:
    """Start clients in Node; `url` is the server's own unless told otherwise."""
    clients: list[NodeClient] = []

    def start(url: str | None = None, transport: str = "sse", **asked: Any) -> NodeClient:
        options = {"baseUrl": url or server.url, "transport": transport, "retry": SOON}
        clients.append(NodeClient(client={**options, **asked.pop("client", {})}, **asked))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


class Held:
    """A reply that waits in the middle, to be let go."""

    def __init__(self) -> None:
        self.half = "".join(PIECES[:20])
        self.go = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        for piece in PIECES[:20]:
            exchange.delta(piece)
        assert self.go.wait(20)
        for piece in PIECES[20:]:
            exchange.delta(piece)
        exchange.finish(usage={"prompt_tokens": 5, "completion_tokens": 40})


@pytest.mark.parametrize("suite", SUITES)
def test_in_node(suite: str) -> None:
    ran = subprocess.run(
        [str(find_node()), "--test", suite], cwd=FOLDER, capture_output=True, text=True, timeout=110
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]


def test_the_types_are_right() -> None:
    command = [str(find_node()), "node_modules/typescript/bin/tsc", "--project", "."]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=110)
    assert ran.returncode == 0, ran.stdout


def test_the_declarations_are_those_of_the_modules(tmp_path: Path) -> None:
    """`make types` would change nothing; it checks the modules as it writes."""
    command = [str(find_node()), "tools/types.mjs", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert ran.returncode == 0, ran.stderr
    assert declarations(tmp_path) == declarations(ROOT / "static" / "js")


def declarations(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.d.ts")
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_reply_comes(drive, upstream, transport):
    reply = Held()
    reply.go.set()
    upstream.reply = reply
    client = drive(transport=transport, send=["go", {"sessionId": f"client-{transport}"}])
    whole = client.rest()["whole"]
    assert client.lines[0]["type"] == "start"
    assert client.text == whole["text"] == TEXT
    assert whole["sessionId"] == f"client-{transport}"
    assert (whole["finishReason"], whole["usage"]["output_tokens"]) == ("stop", 40)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cut_in_the_middle_is_resumed(drive, proxy, upstream, transport):
    reply = upstream.reply = Held()
    client = drive(proxy.url, transport, send=["go"])
    client.wait_for_text(reply.half)
    proxy.cut()
    client.wait_for(lambda lines: any(line.get("type") == "resume" for line in lines))
    reply.go.set()
    assert client.rest()["whole"]["text"] == client.text == TEXT
    resumed = {"type": "resume", "attempt": 1, "transport": transport, "reason": "network"}
    assert client.of("resume")[0] == resumed
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize(
    ("transport", "failing"),
    [("sse", ("/api/chat/stream",)), ("socket", ("/socket.io",))],
    ids=TRANSPORTS,
)
def test_the_other_transport_takes_over_a_start(drive, proxy, upstream, transport, failing):
    proxy.failing = failing
    client = drive(proxy.url, transport, send=["go"])
    assert client.rest()["whole"]["text"] == "Hello there"
    other = "socket" if transport == "sse" else "sse"
    assert [event["transport"] for event in client.of("retry")] == [transport, other]
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize(
    ("transport", "failing"),
    [("sse", ("/api/runs/",)), ("socket", ("/socket.io",))],
    ids=TRANSPORTS,
)
def test_the_other_transport_takes_over_after_a_cut(drive, proxy, upstream, transport, failing):
    reply = upstream.reply = Held()
    client = drive(proxy.url, transport, send=["go"])
    client.wait_for_text(reply.half)
    proxy.failing = failing
    proxy.cut()
    client.wait_for(lambda lines: len(client.of("resume")) >= 3)
    reply.go.set()
    assert client.rest()["whole"]["text"] == client.text == TEXT
    assert len({event["transport"] for event in client.of("resume")}) == 2


def test_a_whole_answer_where_nothing_streams(drive, proxy, upstream):
    proxy.failing = ("/api/chat/stream", "/socket.io")
    client = drive(proxy.url, send=["go"])
    assert client.rest()["whole"]["text"] == client.text == "Hello there"
    tried = [event["transport"] for event in client.of("retry")]
    assert tried == ["sse", "socket", "whole"]
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_stop_closes_the_model_and_the_receipt_says_so(drive, upstream, transport):
    reply = upstream.reply = Held()
    client = drive(transport=transport, send=["go"])
    client.wait_for_text(reply.half)
    client.tell("stop")
    receipt = client.said("receipt")
    assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
    whole = client.said("whole")
    assert (whole["finishReason"], whole["text"]) == ("stopped", reply.half)
    client.rest()
    reply.go.set()
    assert upstream.exchanges[0].wait_closed(20)


def test_a_whole_answer_can_be_stopped(drive, upstream):
    upstream.reply = silent
    client = drive(client={"enableStreaming": False}, send=["go"])
    upstream.wait_for(1)
    client.tell("stop")
    assert client.said("receipt")["status"] == "stopped"
    assert client.said("whole")["finishReason"] == "stopped"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_failure_is_thrown_with_what_had_come(drive, upstream, transport):
    def reply(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("Hal")
        exchange.cut()

    upstream.reply = reply
    thrown = drive(transport=transport, send=["go"]).rest()["thrown"]
    assert (thrown["code"], thrown["text"]) == ("upstream_incomplete", "Hal")
    assert thrown["errorId"].startswith("ERR_")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_refusal_is_thrown_at_once(drive, transport):
    client = drive(transport=transport, send=["go", {"provider": "nobody"}])
    assert client.rest()["thrown"]["code"] == "invalid_request"
    assert client.of("retry") == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_reply_that_is_left_goes_on_and_can_be_followed(drive, server, upstream, transport):
    reply = upstream.reply = Held()
    client = drive(transport=transport, send=["go"])
    client.wait_for_text(reply.half)
    client.tell("leave")
    assert client.rest()["thrown"]["code"] == "left"
    run_id = client.lines[0]["runId"]
    seq = client.of("text")[-1]["seq"]
    again = drive(transport=transport, follow=[run_id, {"after": seq}])
    again.wait_for(lambda lines: len(lines) >= 1)
    reply.go.set()
    assert again.rest()["whole"]["text"] == TEXT
    assert client.text + again.text == TEXT


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_run_that_was_seen_to_its_end_is_told_from_its_record(drive, server, transport):
    client = drive(send=["go"])
    whole = client.rest()["whole"]
    again = drive(transport=transport, follow=[whole["runId"], {"after": whole["seq"]}])
    ended = again.rest()["whole"]
    assert (ended["runId"], ended["finishReason"]) == (whole["runId"], "stop")
    assert (ended["sessionId"], ended["usage"]) == (whole["sessionId"], whole["usage"])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_restarts_tells_of_the_interruption(drive, start_server, upstream, transport):
    own = start_server(HEARTBEAT_S=0.3)
    proxy = CuttingProxy(own.port)
    reply = upstream.reply = Held()
    # Node's first fetch can hang on a connection that is closed at once; chunkTimeout ends that.
    options = {"retry": {**SOON, "times": 1000}, "chunkTimeout": 2000}
    client = drive(proxy.url, transport, send=["go"], client=options)
    client.wait_for_text(reply.half)
    own.kill()
    own.restart()
    proxy.move(own.port)
    thrown = client.rest()["thrown"]
    reply.go.set()
    proxy.close()
    assert (thrown["code"], thrown["text"]) == ("shutting_down", reply.half)


def test_many_replies_share_one_socket(drive, server, upstream):
    messages = [f"number {n}" for n in range(20)]

    def reply(exchange: Exchange) -> None:
        exchange.start()
        for word in [exchange.body["messages"][-1]["content"], *PIECES]:
            exchange.delta(word)
        exchange.finish()

    upstream.reply = reply
    wholes = drive(transport="socket", sends=messages).rest()["wholes"]
    assert [whole["text"] for whole in wholes] == [message + TEXT for message in messages]


def test_a_session_is_watched(drive, server, upstream):
    server.post("/api/chat/sessions", {"session_id": "watched"})
    watch = drive(watch="watched")
    assert server.wait_until(lambda: server.status()["viewers"]["sse"] == 1)
    whole = drive(send=["go", {"sessionId": "watched"}]).rest()["whole"]
    watch.wait_for(lambda lines: len(lines) == 2)
    assert [line["type"] for line in watch.lines] == ["run_started", "run_ended"]
    assert {line["runId"] for line in watch.lines} == {whole["runId"]}
    assert watch.lines[1]["status"] == "completed"
    watch.tell("close")
    watch.rest()


@pytest.mark.browser
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_page_uses_it_as_it_is(browser, server, transport):
    page = browser.new_page()
    page.goto(server.url)
    shown = page.evaluate(IN_A_PAGE, transport)
    page.close()
    assert shown == ["Hello there", "Hello there", "stop"]
