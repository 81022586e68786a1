// The hook with calls of tools: as they come, what waits, and how it goes on.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createUseChat } from "../../static/js/use-chat.js";
import { RUN, answerJson, error } from "./support/fake-tandem.js";
import { setUp } from "./support/fixture.js";
import { React, mount } from "./support/mounted.js";

const MESSAGES = "GET /api/chat/sessions/<id>/messages";
const SESSION = "GET /api/chat/sessions/<id>";
const EVENTS = "GET /api/runs/<run>/events";
const APPROVE = "POST /api/runs/<run>/approvals/a1";
const RESULTS = "POST /api/runs/<run>/results";
const NAMES = { n: 1, call_id: "c1", name: "send" };
const PENDING = { ...NAMES, input: { to: "bob" }, kind: "approval", approval_id: "a1", expires_at: 9 };
const BEFORE = [
  { token: "Wait. " },
  { tool: { ...NAMES, state: "calling", source: "server" } },
  { tool: { ...NAMES, state: "ready", input: { to: "bob" } } },
  { tool: { ...NAMES, state: "awaiting_approval", approval_id: "a1", expires_at: 9 } },
];
const WAITS = [...BEFORE, { requires_action: [PENDING], session_id: "s1" }];
const GONE_ON = [
  ...BEFORE,
  { token: "" }, // where it has waited
  { tool: { ...NAMES, state: "running" } },
  { tool: { ...NAMES, state: "done", output: "sent" } },
  { token: "Sent." },
  { done: true, finish_reason: "stop", full_response: "Wait. Sent.", session_id: "s1", usage: null },
];
const PARTS = [{ type: "text", text: "Wait. " }, { type: "tool_call", ...NAMES, input: { to: "bob" } }];
const answerWith = (value) => (response) => answerJson(response, 200, value);
const idle = (chat) => !chat.isLoading && chat.messages.length === 2;
const states = (chat) => chat.messages.at(-1).calls.map(({ name, state, output }) => [name, state, output]);

async function setUpHook(t) {
  const { fake, client } = await setUp(t);
  return { fake, useChat: createUseChat(React, client) };
}

test("a call is allowed, and the reply goes on in its message", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.log = WAITS;
  const mounted = await mount(t, useChat);
  await mounted.chat.sendStreamingMessage("go", undefined, undefined, { tools: ["send"] });
  const waiting = await mounted.wait(idle);
  assert.deepEqual(fake.requests[0].json.tools, ["send"]);
  assert.deepEqual([waiting.messages[1].status, waiting.messages[1].content, waiting.error], ["requires_action", "Wait. ", null]);
  assert.deepEqual(states(waiting), [["send", "awaiting_approval", undefined]]);
  assert.equal(waiting.messages[1].calls[0].action.approval_id, "a1");

  fake.log = GONE_ON;
  fake.faults[APPROVE] = [answerWith({ run_id: RUN, status: "running", seq: 5, answers: [] })];
  await mounted.chat.approve("a1", { approved: true });
  const done = await mounted.wait((chat) => idle(chat) && chat.messages[1].status === "completed");
  assert.deepEqual(fake.of(APPROVE)[0].json, { approved: true });
  assert.deepEqual([done.messages[1].content, states(done)], ["Wait. Sent.", [["send", "done", "sent"]]]);
  assert.deepEqual(done.messages[1].blocks.map(({ text, call }) => text ?? call.name), ["Wait. ", "send", "Sent."]);
  assert.equal(done.messages[1].id, waiting.messages[1].id);
});

test("what waits is there after a reload, and a result of the client's is brought", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const row = { id: "m", role: "assistant", content: "Wait. ", parts: PARTS, status: "requires_action", run_id: RUN, timestamp: "t" };
  fake.faults[MESSAGES] = [answerWith({ messages: [{ ...row, id: "u", role: "user", parts: undefined, status: "completed" }, row] })];
  fake.faults[SESSION] = [answerWith({ active_run: { run_id: RUN, seq: 5, pending: [{ ...PENDING, kind: "result" }] } })];
  const mounted = await mount(t, useChat, "s1");
  const waiting = await mounted.wait(idle);
  assert.deepEqual(states(waiting), [["send", "awaiting_result", undefined]]);

  fake.log = GONE_ON;
  fake.faults[RESULTS] = [answerWith({ run_id: RUN, status: "running", seq: 5, answers: [] })];
  await mounted.chat.addToolResult("c1", { output: { ok: true } });
  assert.deepEqual(fake.of(RESULTS)[0].json, { results: [{ output: { ok: true }, call_id: "c1" }] });
  const done = await mounted.wait((chat) => idle(chat) && chat.messages[1].status === "completed");
  assert.deepEqual([done.messages[1].content, states(done)], ["Wait. Sent.", [["send", "done", "sent"]]]);
});

test("a reply that has gone on is followed from its start, once", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const row = { id: "m", role: "assistant", content: "Wait. ", parts: PARTS, status: "running", run_id: RUN, timestamp: "t" };
  fake.faults[MESSAGES] = [answerWith({ messages: [row] })];
  fake.log = GONE_ON;
  const mounted = await mount(t, useChat, "s1");
  const done = await mounted.wait((chat) => chat.messages.length === 1);
  assert.deepEqual([done.messages[0].content, states(done)], ["Wait. Sent.", [["send", "done", "sent"]]]);
  assert.equal(fake.of(EVENTS).length, 1);
});

test("an answer that is refused, or for nothing, rejects and changes nothing", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.log = WAITS;
  const mounted = await mount(t, useChat);
  await mounted.chat.sendStreamingMessage("go");
  await mounted.wait(idle);
  fake.faults[APPROVE] = [error(400, "invalid_request")];
  await assert.rejects(mounted.chat.approve("a1", { approved: true, answer: 1 }), { code: "invalid_request" });
  await assert.rejects(mounted.chat.approve("other", { approved: true }), { code: "not_found" });
  await assert.rejects(mounted.chat.addToolResult("none", { error: "x" }), { code: "not_found" });
  assert.deepEqual(states(mounted.chat), [["send", "awaiting_approval", undefined]]);
  mounted.unmount();
  await assert.rejects(mounted.chat.approve("a1", { approved: true }), { code: "left" });
});
