// The blocks of a reply: the same from its events, wherever they are cut, and from its message.

import assert from "node:assert/strict";
import { test } from "node:test";

import { blocksOf, callsOf, textOf, withActions, withEvent, withText } from "../../static/js/tandem-client.js";
import { sourcesOf, workOf } from "../../static/js/page/blocks.js";

const names = (n, name = "send") => ({ n, call_id: `c${n}`, name });
const tool = (n, state, more = {}, name = "send") => ({ type: "tool", ...names(n, name), state, seq: 1, ...more });
const part = (type, n, more, name = "send") => ({ type, ...names(n, name), ...more });

const EVENTS = [
  { type: "text", text: "Let me " },
  { type: "text", text: "see." },
  tool(1, "calling", { source: "server" }),
  tool(2, "calling", { source: "mcp:files" }, "read"),
  tool(1, "ready", { input: { to: "bob" } }),
  tool(2, "ready", { input: {} }, "read"),
  tool(2, "running", {}, "read"),
  tool(2, "running", { output: "half", preliminary: true }, "read"),
  tool(2, "failed", { error: "gone", duration_s: 1.5 }, "read"),
  tool(1, "awaiting_approval", { approval_id: "a1", expires_at: 9 }),
];
const AFTER = [
  tool(1, "denied", { approved: false, approval_id: "a1", reason: "no" }),
  tool(1, "denied", { reason: "no" }),
  { type: "text", text: "Well." },
];
const PARTS = [
  { type: "text", text: "Let me see." },
  part("tool_call", 1, { source: "server", input: { to: "bob" } }),
  part("tool_call", 2, { source: "mcp:files", input: {} }, "read"),
  part("tool_result", 2, { error: "gone", duration_s: 1.5 }, "read"),
];
const PENDING = [{ ...names(1), kind: "approval", approval_id: "a1", input: { to: "bob" }, expires_at: 9 }];

/** Take events as a reader does. */
function read(events, blocks = [], from = blocks.length) {
  for (const event of events) {
    if (event.type === "text") blocks = withText(blocks, event.text);
    else ({ blocks, from } = withEvent(blocks, from, event, 1000));
  }
  return blocks;
}

/** What a reader sees of it. */
const shown = (blocks) => blocks.map(({ text, call }) => text ?? Object.fromEntries(
  ["name", "state", "source", "input", "output", "error", "reason", "duration_s"].map((name) => [name, call[name]]),
));

test("a reply that waits is the same from events and from its message", () => {
  const live = withActions(read(EVENTS), PENDING);
  const stored = blocksOf({ content: "Let me see.", parts: PARTS, status: "requires_action" }, PENDING);
  assert.deepEqual(shown(live), shown(stored));
  assert.deepEqual(callsOf(live).map(({ state, action }) => [state, action?.approval_id]), [["awaiting_approval", "a1"], ["failed", undefined]]);
});

test("a reply is the same from events, from where it has waited, and from its message", () => {
  const parts = [...PARTS, part("tool_result", 1, { denied: true, reason: "no" }), { type: "text", text: "Well." }];
  const stored = blocksOf({ content: "", parts, status: "completed" });
  assert.equal(textOf(stored), "Let me see.Well.");
  assert.deepEqual(shown(read([...EVENTS, ...AFTER])), shown(stored));
  const waits = blocksOf({ content: "Let me see.", parts: PARTS, status: "requires_action" }, PENDING);
  assert.deepEqual(shown(read(AFTER, waits, 0)), shown(stored));
});

test("a run that is read from its start takes the place of what was there of it", () => {
  const whole = shown(read([...EVENTS, ...AFTER]));
  const before = blocksOf({ content: "Let me see.", parts: PARTS, status: "running" });
  assert.deepEqual(shown(read([...EVENTS, ...AFTER], before)), whole);
});

test("what a reply had said before it was continued stays, with calls of the same number", () => {
  const before = blocksOf({ content: "", parts: [part("tool_call", 1, { input: {}, call_id: "old" }), part("tool_result", 1, { output: 1, call_id: "old" })], status: "stopped" });
  const blocks = read(EVENTS, before);
  assert.deepEqual(callsOf(blocks).map(({ call_id: id, state }) => [id, state]), [["old", "done"], ["c1", "awaiting_approval"], ["c2", "failed"]]);
});

test("no event, cut anywhere, changes a block that was shown", () => {
  for (let cut = 0; cut <= EVENTS.length; cut += 1) {
    const some = read(EVENTS.slice(0, cut));
    const kept = structuredClone(some);
    read([...EVENTS.slice(cut), ...AFTER], some, 0);
    assert.deepEqual(some, kept);
  }
});

test("states of what waits and of what has ended otherwise", () => {
  const of = (result, pending = [], status = "requires_action") => callsOf(blocksOf({ content: "", parts: [part("tool_call", 1, { input: {} }), ...(result ? [part("tool_result", 1, result)] : [])], status }, pending))[0].state;
  assert.equal(of(null, [{ ...PENDING[0], kind: "result" }]), "awaiting_result");
  assert.equal(of(null, [{ ...PENDING[0], kind: "question" }]), "awaiting_approval");
  assert.equal(of(null), "answered");
  assert.equal(of(null, [], "running"), "ready");
  for (const state of ["denied", "stopped", "unknown"]) assert.equal(of({ [state]: true }), state);
  assert.equal(of({ output: null }), "done");
  const invalid = [part("tool_call", 1, { invalid: "{" }), part("tool_result", 1, { error: "Not JSON." })];
  const [call] = callsOf(blocksOf({ content: "", parts: invalid, status: "completed" }));
  assert.deepEqual([call.state, call.error], ["invalid", "Not JSON."]);
  const [live] = callsOf(read([tool(1, "calling"), tool(1, "invalid", { invalid: "{" }), tool(1, "failed", { error: "Not JSON." })]));
  assert.deepEqual([live.state, live.error], ["invalid", "Not JSON."]);
});

test("a message without parts is its text", () => {
  assert.deepEqual(blocksOf({ content: "Hi", status: "completed" }), [{ text: "Hi" }]);
  assert.deepEqual(blocksOf({ content: "", status: "running" }), []);
});

test("what a reply is doing", () => {
  const at = (count) => workOf(read(EVENTS.slice(0, count)));
  assert.equal(at(2), null);
  assert.deepEqual(at(4), { phase: "calling", names: ["send", "read"], since: null });
  assert.deepEqual(at(8), { phase: "tool", names: ["read"], since: 1000 });
  assert.equal(at(10), null);
});

test("sources are addresses of the web, each once", () => {
  const sources = [
    { url: "https://a.example/x", title: " A " }, { url: "https://a.example/x" }, { url: "http://b.example" },
    { url: "javascript:alert(1)" }, { url: "data:text/html,x" }, { url: "/here" }, { url: 7 }, null,
  ];
  const blocks = read([tool(1, "calling"), tool(1, "done", { output: "", sources })]);
  assert.deepEqual(sourcesOf(blocks), [{ url: "https://a.example/x", title: "A" }, { url: "http://b.example/", title: "b.example" }]);
  assert.deepEqual(sourcesOf(read([tool(1, "done", { sources: "no list" })])), []);
});
