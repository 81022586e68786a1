// Options that say more, wait otherwise, or bring a library along.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { TandemClient } from "../../static/js/tandem-client.js";
import { RUN, cutAt, hang, hangAt, onlyPings, openStream, pings } from "./support/fake-tandem.js";
import { eventsOf, setUp, SOON, textOf } from "./support/fixture.js";

const START = "POST /api/chat/stream";

/** Send the first piece, then nothing. */
function onePiece(response, frames) {
  hangAt(frames.indexOf(`id: ${RUN}:2`))(response, frames);
}

const cut = (fake) => fake.requests[0].response.socket.destroy();

test("debug says what is sent, each resume and each change of the way, and no word of it", async (t) => {
  const said = [];
  t.mock.method(console, "debug", (...line) => said.push(line));
  const { fake, client } = await setUp(t, { debug: true });
  fake.faults[START] = [onePiece];
  const options = { sessionId: "s1", system: "planted too", model: "m", idempotencyKey: "k" };
  for await (const { type, seq } of client.send("planted", options)) if (type === "text" && seq === 1) cut(fake);
  const body = { message: "7 characters", session_id: "s1", model: "m", system: "11 characters", partial: false };
  assert.deepEqual(said, [
    ["tandem: POST /api/chat/stream", body],
    ["tandem: resumes", { over: "sse", attempt: 1, reason: "network", runId: RUN, after: 1 }],
    [`tandem: GET /api/runs/${RUN}/events`, {}],
  ]);
  said.length = 0;
  fake.faults[START] = [hang];
  await client.send("planted", { streamingTimeout: 50 }).whole;
  assert.deepEqual(said.map(([what]) => what), [
    "tandem: POST /api/chat/stream", "tandem: sends again", "tandem: changes its way", "tandem: POST /api/chat",
  ]);
  assert.deepEqual(said[2][1], { from: "sse", to: "whole" });
  await client.sessions.page({ search: "planted" }).catch(() => {});
  assert.ok(!JSON.stringify(said).includes("planted"));
});

test("without debug nothing is said", async (t) => {
  const debug = t.mock.method(console, "debug", () => {});
  const { fake, client } = await setUp(t);
  fake.faults[START] = [cutAt(150)];
  await client.send("Hi").whole;
  assert.equal(debug.mock.callCount(), 0);
});

// The silence of the model.

const RESUME = "GET /api/runs/<run>/events";
const MODELS = { chunkTimeout: 600, heartbeatsCount: false }; // a heartbeat comes each 5 ms

test("heartbeats do not end the silence of a model that is not to pause", async (t) => {
  const { fake, client } = await setUp(t, MODELS);
  fake.faults[START] = [(response, frames) => {
    onePiece(response, frames);
    pings(response, Infinity);
  }];
  const { events, error } = await eventsOf(client.send("Hi"));
  assert.deepEqual([error.code, error.retryable, error.runId], ["model_timeout", true, RUN]);
  assert.deepEqual([textOf(events), error.text], ["Hello", "Hello"]);
  await fake.requests[0].closed;
  assert.deepEqual(fake.routes(), [START], "no stop, no second request");
});

test("nor on a connection that was resumed", async (t) => {
  const { fake, client } = await setUp(t, MODELS);
  fake.faults[START] = [onePiece];
  fake.faults[RESUME] = [onlyPings, onlyPings, onlyPings];
  await assert.rejects(async () => {
    for await (const { type } of client.send("Hi")) if (type === "text") cut(fake);
  }, { code: "model_timeout" });
  assert.equal(fake.routes()[1], RESUME);
});

test("a connection that is dead is resumed all the same", async (t) => {
  const { fake, client } = await setUp(t, MODELS);
  fake.faults[START] = [onePiece];
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
  assert.deepEqual(fake.routes(), [START, RESUME]);
});

test("the first piece is streamingTimeout's business", async (t) => {
  const { fake, client } = await setUp(t, MODELS);
  fake.faults[START] = [(response) => {
    openStream(response);
    pings(response, 150, () => response.end(fake.frames()));
  }];
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
});

// Socket.IO's client, where there is no static/vendor beside the module.

/** Import the client as a bundle has it: without static/vendor. */
async function importAlone(t) {
  const folder = mkdtempSync(join(tmpdir(), "tandem-client-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(new URL("../../static/js", import.meta.url), join(folder, "a", "b", "js"), { recursive: true });
  return import(pathToFileURL(join(folder, "a", "b", "js", "tandem-client.js")).href);
}

/** Give this process a global for a test. */
function global(t, name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
  t.after(() => delete globalThis[name]);
}

/** A Socket.IO client whose server answers each message with one piece. */
function fakeIo() {
  const listeners = {};
  const say = (name, payload) => listeners[name]?.forEach((listener) => listener(payload));
  const socket = {
    connected: false,
    connect: () => setImmediate(() => { socket.connected = true; say("connect"); }),
    disconnect: () => { socket.connected = false; },
    on: (name, listener) => (listeners[name] ??= new Set()).add(listener),
    off: (name, listener) => listeners[name]?.delete(listener),
    emit(event, data, ack) {
      ack({ run_id: RUN, session_id: data.session_id });
      say("chat_token", { token: "Hello", count: 1, run_id: RUN, seq: 1 });
      say("chat_complete", { done: true, full_response: "Hello", finish_reason: "stop", run_id: RUN, seq: 2 });
    },
  };
  return socket;
}

/** One whose server lets in who has this token. */
function guardedIo(wanted) {
  return (...args) => {
    const { auth } = args.at(-1);
    const socket = fakeIo();
    const accept = socket.connect;
    const listeners = new Set();
    const { on, off } = socket;
    socket.on = (name, listener) => (name === "connect_error" ? listeners.add(listener) : on(name, listener));
    socket.off = (name, listener) => (name === "connect_error" ? listeners.delete(listener) : off(name, listener));
    socket.connect = () => auth(({ token }) => {
      if (token === wanted) accept();
      else for (const listener of listeners) listener(new Error("unauthorized"));
    });
    return socket;
  };
}

const OVER_SOCKET = { transport: "socket", fallbackOnError: false, retry: SOON };

test("without Socket.IO's client the error says what to pass", async (t) => {
  const alone = await importAlone(t);
  global(t, "document", new EventTarget());
  const client = new alone.TandemClient(OVER_SOCKET);
  const { error } = await eventsOf(client.send("Hi"));
  assert.equal(error.code, "network");
  assert.match(error.message, /new TandemClient\(\{ io \}\).*socket\.io-client/);
});

test("without Socket.IO's client the other ways are tried", async (t) => {
  const alone = await importAlone(t);
  global(t, "document", new EventTarget());
  const { fake } = await setUp(t);
  const client = new alone.TandemClient({ baseUrl: fake.url, transport: "socket", retry: SOON });
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
  assert.deepEqual(fake.routes(), [START]);
});

test("a page's global io is used", async (t) => {
  global(t, "document", new EventTarget());
  global(t, "io", fakeIo);
  const client = new TandemClient(OVER_SOCKET);
  assert.equal((await client.send("Hi").whole).text, "Hello");
});

test("what is passed is used before the global one", async (t) => {
  global(t, "io", () => assert.fail("the global one was used"));
  const client = new TandemClient({ ...OVER_SOCKET, io: fakeIo });
  assert.equal((await client.send("Hi").whole).text, "Hello");
});

test("who signs in while a connect is refused is let in", async () => {
  const tokens = ["old", "new"];
  const getToken = () => tokens.length > 1 ? tokens.shift() : tokens[0];
  const client = new TandemClient({ ...OVER_SOCKET, getToken, io: guardedIo("new") });
  assert.equal((await client.send("Hi").whole).text, "Hello");
});

test("a connect that is refused with the newest token is not tried again", async () => {
  let asked = 0;
  const io = (...args) => {
    const socket = guardedIo("new")(...args);
    const { connect } = socket;
    socket.connect = () => { asked += 1; connect(); };
    return socket;
  };
  const client = new TandemClient({ ...OVER_SOCKET, token: "old", io });
  await assert.rejects(client.send("Hi").whole, { code: "unauthorized" });
  assert.equal(asked, 1);
});
