// The React hook, in React, over HTTP.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createUseChat } from "../../static/js/use-chat.js";
import { RUN, answerJson, error, hang, hangAt, raw } from "./support/fake-tandem.js";
import { setUp } from "./support/fixture.js";
import { React, frames, mount } from "./support/mounted.js";

const { renderToString } = await import("react-dom/server");

const START = "POST /api/chat/stream";
const MESSAGES = "GET /api/chat/sessions/<id>/messages";
const contents = (chat) => chat.messages.map(({ role, content }) => [role, content]);
const idle = (chat) => !chat.isLoading;

async function setUpHook(t, options) {
  const { fake, client } = await setUp(t, options);
  return { fake, client, useChat: createUseChat(React, client) };
}

test("it has the eleven names, and begins empty", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  let chat;
  renderToString(React.createElement(() => {
    chat = useChat();
    return null;
  }));
  const { sendMessage, sendStreamingMessage, clearMessages, clearError, addToolResult, approve, ...state } = chat;
  assert.deepEqual(state, { messages: [], isLoading: false, isStreaming: false, streamingMessage: undefined, error: null });
  for (const act of [sendMessage, sendStreamingMessage, clearMessages, clearError, addToolResult, approve]) assert.equal(typeof act, "function");
  assert.deepEqual(fake.requests, []);
});

test("a streamed message: the pieces, then the messages, then the id", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const page = frames(t);
  let finish;
  fake.faults[START] = [(response, bytes) => {
    hangAt(150)(response, bytes);
    finish = () => response.end(bytes.subarray(150));
  }];
  const mounted = await mount(t, useChat);
  const sent = mounted.chat.sendStreamingMessage("Hi", "m", "demo");
  const begun = await mounted.wait((chat) => chat.isStreaming);
  assert.deepEqual([begun.isLoading, begun.streamingMessage.content, contents(begun)], [true, "", [["user", "Hi"]]]);
  const reply = await fake.waitFor(START);
  while (page.count === 0) await new Promise((resolve) => setImmediate(resolve));
  page.next();
  assert.equal((await mounted.wait((chat) => chat.streamingMessage?.content)).streamingMessage.content, "Hello");
  finish();
  const id = await sent;
  const done = await mounted.wait(idle);
  assert.equal(id, reply.json.session_id);
  assert.deepEqual([reply.json.model, reply.json.provider], ["m", "demo"]);
  assert.deepEqual(contents(done), [["user", "Hi"], ["assistant", fake.pieces.join("")]]);
  assert.deepEqual([done.isStreaming, done.streamingMessage, done.error], [false, undefined, null]);
});

test("a whole message", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat);
  const sent = mounted.chat.sendMessage("Hi");
  const begun = await mounted.wait((chat) => chat.isLoading);
  assert.deepEqual([begun.isStreaming, begun.streamingMessage], [false, undefined]);
  assert.equal(typeof (await sent), "string");
  assert.deepEqual(contents(await mounted.wait(idle)), [["user", "Hi"], ["assistant", fake.pieces.join("")]]);
  assert.deepEqual(fake.routes(), ["POST /api/chat"]);
});

test("the next message goes to the same conversation", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat);
  const id = await mounted.chat.sendStreamingMessage("One");
  assert.equal(await mounted.chat.sendMessage("Two"), id);
  assert.deepEqual(fake.requests.map(({ json }) => json.session_id), [id, id]);
});

test("a number stays a number, and is the conversation that POST /chat calls by it", async (t) => {
  const { fake, client, useChat } = await setUpHook(t);
  fake.faults[START] = [hangAt(150)];
  const mounted = await mount(t, useChat, 42);
  const sent = mounted.chat.sendStreamingMessage("Hi");
  assert.equal((await fake.waitFor(MESSAGES)).url, "/api/chat/sessions/conversation%3A42/messages");
  const { json, response } = await fake.waitFor(START);
  assert.equal(json.session_id, "conversation:42");
  assert.equal(client.replyOf(42), client.replyOf("conversation:42"));
  response.end(fake.frames().subarray(150));
  assert.equal(await sent, 42);
});

test("digits are the name of a session", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat, "42");
  assert.equal(await mounted.chat.sendStreamingMessage("Hi"), "42");
  assert.equal(fake.of(START)[0].json.session_id, "42");
});

test("a thousand pieces in one frame are one update", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const page = frames(t);
  fake.pieces = Array.from({ length: 1000 }, (_, n) => `${n} `);
  const mounted = await mount(t, useChat);
  const before = mounted.renders;
  await mounted.chat.sendStreamingMessage("Hi");
  await mounted.wait((chat) => chat.messages.length === 2);
  assert.ok(mounted.renders - before <= 4, `${mounted.renders - before} renders`);
  assert.equal(page.count, 0);
});

test("the same prompt twice is one request, and the same promise", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat);
  const first = mounted.chat.sendStreamingMessage("Hi");
  assert.equal(mounted.chat.sendStreamingMessage("Hi"), first);
  await first;
  assert.equal(fake.of(START).length, 1);
  assert.equal((await mounted.wait(idle)).messages.length, 2);
});

test("another prompt while a reply is under way is refused", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.faults[START] = [hangAt(150)];
  const mounted = await mount(t, useChat);
  mounted.chat.sendStreamingMessage("Hi");
  await assert.rejects(mounted.chat.sendStreamingMessage("Ho"), { code: "session_busy" });
  const chat = await mounted.wait(({ error: told }) => told);
  assert.deepEqual([contents(chat), chat.isStreaming], [[["user", "Hi"]], true]);
});

test("an error is told, with what had come; clearError clears it", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.end = { error: "The model failed.", code: "upstream_error", error_id: "ERR_1", finish_reason: "error" };
  const mounted = await mount(t, useChat);
  await assert.rejects(mounted.chat.sendStreamingMessage("Hi"), { code: "upstream_error" });
  const failed = await mounted.wait(({ error: told }) => told);
  assert.equal(failed.error, "The model failed.");
  assert.deepEqual([failed.messages[1].content, failed.messages[1].status], [fake.pieces.join(""), "failed"]);
  assert.deepEqual([failed.isLoading, failed.isStreaming, failed.streamingMessage], [false, false, undefined]);
  failed.clearError();
  await mounted.wait(({ error: told }) => told === null);
});

test("who ignores the promise of a send that fails is told nothing by the process", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  fake.faults[START] = [error(400, "invalid_request")];
  const mounted = await mount(t, useChat);
  mounted.chat.sendStreamingMessage("Hi");
  await mounted.wait(({ error: told }) => told);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});

test("clearMessages clears what is shown", async (t) => {
  const { useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat);
  await mounted.chat.sendMessage("Hi");
  (await mounted.wait((chat) => chat.messages.length === 2)).clearMessages();
  await mounted.wait((chat) => chat.messages.length === 0);
});

test("a stream that fails to start falls back to a whole answer", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.faults[START] = [error(500, "internal_error"), error(500, "internal_error")];
  const mounted = await mount(t, useChat);
  await mounted.chat.sendStreamingMessage("Hi");
  assert.equal((await mounted.wait(idle)).messages[1].content, fake.pieces.join(""));
});

test("unmounted in the middle: the connection is closed, the run goes on, nothing is left", async (t) => {
  const { fake, client, useChat } = await setUpHook(t);
  const page = frames(t);
  fake.faults[START] = [hangAt(150)];
  const mounted = await mount(t, useChat, "s1");
  const sent = mounted.chat.sendStreamingMessage("Hi");
  while (page.count === 0) await new Promise((resolve) => setImmediate(resolve));
  const { renders } = mounted;
  assert.equal(client.replyOf("s1").runId, RUN);
  mounted.unmount();
  await fake.of(START)[0].closed;
  await assert.rejects(sent, { code: "left", runId: RUN, text: "Hello" });
  assert.deepEqual([page.count, mounted.renders - renders, client.replyOf("s1")], [0, 0, undefined]);
  assert.deepEqual(fake.routes(), [MESSAGES, START], "it is not stopped");
  await assert.rejects(mounted.chat.sendStreamingMessage("again"), { code: "left" });
});

test("unmounted before the answer's head", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.faults[START] = [hang];
  const mounted = await mount(t, useChat);
  const sent = mounted.chat.sendStreamingMessage("Hi");
  await fake.waitFor(START);
  mounted.unmount();
  await fake.requests[0].closed;
  await assert.rejects(sent, { code: "left" });
});

test("in StrictMode, which mounts twice", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat, "s1", { strict: true });
  await mounted.chat.sendStreamingMessage("Hi");
  const chat = await mounted.wait((shown) => shown.messages.length === 2);
  assert.deepEqual(contents(chat), [["user", "Hi"], ["assistant", fake.pieces.join("")]]);
  assert.equal(fake.of(START).length, 1);
});

const row = (role, content, rest) => ({ id: role, parent_id: null, role, content, status: "completed", run_id: null, timestamp: "t", ...rest });

test("a conversation is shown from the server, and its reply under way followed", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const messages = [row("user", "Hi"), row("assistant", "", { status: "running", run_id: RUN })];
  fake.faults[MESSAGES] = [(response) => answerJson(response, 200, { messages })];
  let finish;
  fake.faults["GET /api/runs/<run>/events"] = [(response, bytes) => { finish = () => raw(bytes)(response); }];
  const mounted = await mount(t, useChat, "s1");
  const begun = await mounted.wait((chat) => chat.isStreaming);
  assert.deepEqual(contents(begun), [["user", "Hi"]]);
  await fake.waitFor("GET /api/runs/<run>/events");
  finish();
  const done = await mounted.wait((chat) => chat.messages.length === 2);
  assert.equal(done.messages[1].content, fake.pieces.join(""));
});

test("a conversation that cannot be read is an error", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.faults[MESSAGES] = [error(401, "unauthorized")];
  const mounted = await mount(t, useChat, "s1");
  assert.equal((await mounted.wait((chat) => chat.error)).error, "It is unauthorized.");
});

test("another conversation id shows that one; its own id, given back, changes nothing", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const mounted = await mount(t, useChat);
  const id = await mounted.chat.sendStreamingMessage("Hi");
  mounted.show(id);
  mounted.show(id);
  await mounted.wait((chat) => chat.messages.length === 2);
  assert.equal(fake.of(MESSAGES).length, 0);
  fake.faults[MESSAGES] = [(response) => answerJson(response, 200, { messages: [row("user", "Old")] })];
  mounted.show("other");
  assert.deepEqual(contents(await mounted.wait((chat) => chat.messages[0]?.content === "Old")), [["user", "Old"]]);
});
