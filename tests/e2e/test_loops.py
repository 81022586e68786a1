"""The reading loops that are printed for people to copy, in a real browser: two documents' own, and
ours of docs/api.md, which takes what those do not, a stream cut anywhere."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.test_streaming import AWKWARD, in_lockstep
from tests.support.server import ROOT
from tests.support.upstream import say

pytestmark = pytest.mark.browser

# As the documents print them.
LOOP_000 = """
async function streamChat(message) {
  const response = await fetch('/api/chat/stream', {
    method: 'POST',
    body: JSON.stringify({ message })
  });

  const reader = response.body.getReader();
  const decoder = new TextDecoder();

  while (true) {
    const { done, value } = await reader.read();
    if (done) break;

    const chunk = decoder.decode(value);
    for (const line of chunk.split('\\n')) {
      if (line.startsWith('data: ')) {
        const data = JSON.parse(line.slice(6));
        if (data.token) {
          // Display token
          displayToken(data.token);
        }
      }
    }
  }
}
await streamChat('Tell me about quantum computing');
"""
LOOP_004 = """
// Streaming request example
const response = await fetch('/chat', {
    method: 'POST',
    headers: {
        'Content-Type': 'application/json'
    },
    body: JSON.stringify({
        conversation: [
            {role: 'user', content: 'Tell me about quantum computing'}
        ],
        stream: true
    })
});

// Process streaming response
const reader = response.body.getReader();
const decoder = new TextDecoder();

while (true) {
    const { done, value } = await reader.read();
    if (done) break;

    const chunk = decoder.decode(value);
    const lines = chunk.split('\\n');

    for (const line of lines) {
        if (line.startsWith('data: ')) {
            const data = JSON.parse(line.slice(6));

            // Update UI with streaming content
            updateChatMessage(data.content);

            if (data.done) {
                finalizeChatMessage(data.full_content);
                break;
            }
        }
    }
}
"""
# What the loops call, and with `size` a network that cuts what it brings into pieces of that size.
AROUND = """async (size) => {
  const shown = {text: '', final: null, error: null};
  const displayToken = (text) => { shown.text += text; window.told(); }, show = displayToken;
  const updateChatMessage = displayToken;
  const finalizeChatMessage = (text) => { shown.final = text; };
  const finish = (data) => { shown.final = data.full_response; };
  const fail = (message) => { shown.error = message; };
  const fetch = async (...asked) => {
    const answer = await window.fetch(...asked);
    if (!size) return answer;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let at = 0;
    const cut = new ReadableStream({pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += size));
    }});
    return new Response(cut, {status: answer.status, headers: answer.headers});
  };
  try { %s } catch (error) { shown.error = error.name; }
  return shown;
}"""
ASCII = ["An answer of about two kilobytes, in ten pieces. " * 4 for _ in range(10)]


def docs_loop() -> str:
    """Return the loop of docs/api.md."""
    section = (ROOT / "docs" / "api.md").read_text().split("### Reading a stream in JavaScript")[1]
    found = re.search(r"```js\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def run(browser, server):
    """Run a loop on a page of the server's, which tells of each piece; return what it has shown."""
    page = browser.new_page()

    def run(loop: str, size: int = 0, told: Callable[[], Any] = lambda: None) -> dict[str, Any]:
        page.expose_function("told", told)
        page.goto(server.url)
        return page.evaluate(AROUND % loop, size)

    yield run
    page.close()


LOOPS = {"000": LOOP_000, "004": LOOP_004, "ours": docs_loop()}
every_loop = pytest.mark.parametrize("loop", LOOPS)


@every_loop
def test_a_reply_of_two_kilobytes_is_shown_whole(run, upstream, loop):
    may_send = threading.Semaphore(1)  # a piece only when the last one is shown: they come apart
    upstream.reply = in_lockstep(ASCII, may_send)
    shown = run(LOOPS[loop], told=may_send.release)
    assert (shown["error"], shown["text"]) == (None, "".join(ASCII))
    assert shown["final"] in {None, shown["text"]}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1460])
def test_ours_takes_a_stream_that_is_cut_anywhere(run, upstream, size):
    upstream.reply = say(AWKWARD)
    shown = run(LOOPS["ours"], size)
    text = "".join(AWKWARD)
    assert shown == {"text": text, "final": text, "error": None}


@pytest.mark.parametrize("loop", ["000", "004"])
def test_the_documents_loops_need_events_that_come_whole(run, upstream, loop):
    """What docs/api.md says of them: a chunk that ends inside a line is not read."""
    upstream.reply = say(ASCII)  # at once, as a fast model says it
    assert run(LOOPS[loop], 100)["error"] == "SyntaxError"


def test_ours_tells_a_failure(run, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("half"), exchange.cut())
    shown = run(LOOPS["ours"])
    assert (shown["text"], shown["final"]) == ("half", None)
    assert shown["error"].endswith(".")
