// Cuts, silence, refusals: what is tried, in what order, and that nothing is asked for twice.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TandemClient } from "../../static/js/tandem-client.js";
import { FakeTandem, RUN, cutAt, error, hang, hangAt, onlyPings, pings, raw, text } from "./support/fake-tandem.js";
import { eventsOf, setUp, SOON, textOf, typesOf } from "./support/fixture.js";

const START = "POST /api/chat/stream";
const RESUME = "GET /api/runs/<run>/events";
const WHOLE = "POST /api/chat";

/** All that was sent to start a run had one key: the server runs it once. */
function assertOneKey(fake) {
  const starts = [...fake.of(START), ...fake.of(WHOLE)];
  assert.equal(new Set(starts.map((request) => request.headers["idempotency-key"])).size, 1);
  assert.equal(new Set(starts.map((request) => request.json.session_id)).size, 1);
}

test("cut at any byte: resumed, the text equal, nothing twice", async (t) => {
  const { fake, client } = await setUp(t);
  const bytes = fake.frames().length;
  for (let at = 0; at < bytes; at += 1) {
    fake.requests = [];
    fake.faults[START] = [cutAt(at)];
    const { events, error: thrown } = await eventsOf(client.send("Hi"));
    assert.equal(thrown, null, `cut at ${at}`);
    assert.equal(textOf(events), fake.pieces.join(""), `cut at ${at}`);
    assert.equal(events.at(-1).text, fake.pieces.join(""));
    const seqs = events.filter((event) => event.type === "text").map((event) => event.seq);
    assert.deepEqual(seqs, [1, 2, 3, 4]);
    assertOneKey(fake);
  }
});

test("a cut is resumed with the cursor, and told", async (t) => {
  const { fake, client } = await setUp(t);
  const twoPieces = fake.frames().length - fake.frames(2).length + ": open\n\n".length;
  fake.faults[START] = [hangAt(twoPieces)];
  const reply = client.send("Hi");
  let pieces = 0;
  for await (const event of reply) if (event.type === "text" && (pieces += 1) === 2) break;
  fake.requests[0].response.socket.destroy();
  const { events } = await eventsOf(reply);
  assert.deepEqual(typesOf(events), ["start", "text", "text", "resume", "text", "text", "end"]);
  assert.deepEqual(events[3], { type: "resume", attempt: 1, transport: "sse", reason: "network" });
  assert.deepEqual(fake.routes(), [START, RESUME]);
  assert.equal(fake.requests[1].url, `/api/runs/${RUN}/events?after=2&partial=false`);
});

test("several cuts in a row, each a piece further", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [cutAt(150)];
  fake.faults[RESUME] = Array.from({ length: 8 }, () => cutAt(150));
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
});

test("what was seen is dropped, if the server sends it again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [(response, frames) => raw(frames.subarray(0, 250))(response)];
  fake.faults[RESUME] = [(response) => raw(fake.frames(0))(response)];
  const { events } = await eventsOf(client.send("Hi"));
  assert.equal(textOf(events), fake.pieces.join(""));
});

test("a log that was folded is read from its start; what is new is shown", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [(response) => raw(fake.frames().subarray(0, 250))(response)];
  fake.faults[RESUME] = [
    error(410, "log_reset"),
    (response) => {
      const pieces = fake.pieces;
      fake.pieces = [pieces.join("")];
      raw(fake.frames())(response);
      fake.pieces = pieces;
    },
  ];
  const { events, error: thrown } = await eventsOf(client.send("Hi"));
  assert.equal(thrown, null);
  assert.equal(textOf(events), fake.pieces.join(""));
  assert.match(fake.of(RESUME)[1].url, /after=0/);
});

test("no answer before the head: the same key again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [cutAt(null)];
  const { events } = await eventsOf(client.send("Hi"));
  assert.deepEqual(events[0], { type: "retry", attempt: 1, transport: "sse", reason: "network" });
  assert.equal(textOf(events), fake.pieces.join(""));
  assertOneKey(fake);
});

for (const [name, fault] of [
  ["500", error(500, "internal_error")],
  ["a proxy's 502", text(502, "<h1>Bad Gateway</h1>")],
  ["a page of another", text(200, "<h1>Sign in</h1>")],
  ["a cut before the head", cutAt(null)],
  ["a hang before the head", hang],
]) {
  test(`no stream at all (${name}): the whole answer, with the same key`, async (t) => {
    const { fake, client } = await setUp(t, { chunkTimeout: 40 });
    fake.faults[START] = [fault, fault, fault];
    const reply = client.send("Hi");
    const { events } = await eventsOf(reply);
    assert.deepEqual(fake.routes(), [START, START, WHOLE]);
    assert.equal(textOf(events), fake.pieces.join(""));
    assert.deepEqual(events.slice(0, 2).map((event) => event.transport), ["sse", "whole"]);
    assertOneKey(fake);
  });

  test(`no stream at all (${name}), no fallback wanted: an error`, async (t) => {
    const { fake, client } = await setUp(t, { chunkTimeout: 40, fallbackOnError: false });
    fake.faults[START] = [fault, fault, fault];
    const thrown = await client.send("Hi").whole.catch((caught) => caught);
    assert.ok(["internal_error", "bad_answer", "network", "chunk_timeout"].includes(thrown.code), thrown.code);
    assert.deepEqual(fake.routes(), [START, START]);
  });
}

test("nothing listens: an error, after all ways were tried", async () => {
  const gone = await new FakeTandem().start();
  await gone.stop();
  const client = new TandemClient({ baseUrl: gone.url, retry: SOON });
  const { events, error: thrown } = await eventsOf(client.send("Hi"));
  assert.deepEqual([thrown.code, thrown.retryable, thrown.runId], ["network", true, null]);
  assert.deepEqual(events.map((event) => event.transport), ["sse", "whole"]);
});

test("once a run is known there is no whole answer, however often it is cut", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [cutAt(150)];
  fake.faults[RESUME] = Array.from({ length: 20 }, () => cutAt(0));
  const { events, error: thrown } = await eventsOf(client.send("Hi"));
  assert.deepEqual([thrown.code, thrown.retryable, thrown.runId, thrown.text], ["network", true, RUN, "Hello"]);
  assert.equal(fake.of(RESUME).length, SOON.times);
  assert.deepEqual(fake.of(WHOLE), []);
  assert.equal(events.filter((event) => event.type === "resume").length, SOON.times);
});

test("a stream that goes silent is given up after chunkTimeout, and resumed", async (t) => {
  const { fake, client } = await setUp(t, { chunkTimeout: 300 });
  fake.faults[START] = [hangAt(150)];
  fake.faults[RESUME] = [hangAt(0)];
  const reply = client.send("Hi");
  assert.equal((await reply.whole).text, fake.pieces.join(""));
  assert.deepEqual(fake.routes(), [START, RESUME, RESUME]);
  await fake.requests[0].closed;
});

test("heartbeats count for chunkTimeout, and not as a piece", async (t) => {
  const { fake, client } = await setUp(t, { chunkTimeout: 300, streamingTimeout: 800 });
  fake.faults[START] = [onlyPings];
  const { events, error: thrown } = await eventsOf(client.send("Hi"));
  assert.deepEqual([thrown.code, thrown.retryable, thrown.runId], ["streaming_timeout", true, RUN]);
  assert.deepEqual(typesOf(events), ["start"]);
  await fake.requests[0].closed;
  assert.deepEqual(fake.routes(), [START], "no stop, no second request");
});

test("streamingTimeout is for the first piece alone", async (t) => {
  const { fake, client } = await setUp(t, { streamingTimeout: 400 });
  fake.faults[START] = [(response, frames) => {
    hangAt(150)(response, frames);
    pings(response, 120, () => response.end(frames.subarray(150)));
  }];
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
  assert.deepEqual(fake.routes(), [START]);
});

test("streamingTimeout before the run is known: the whole answer", async (t) => {
  const { fake, client } = await setUp(t, { streamingTimeout: 50 });
  fake.faults[START] = [hang];
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
  assert.deepEqual(fake.routes(), [START, WHOLE]);
});

test("a whole answer that does not come is given up after wholeTimeout", async (t) => {
  const { fake, client } = await setUp(t, { enableStreaming: false, wholeTimeout: 40 });
  fake.faults[WHOLE] = [hang];
  await assert.rejects(client.send("Hi").whole, { code: "whole_timeout" });
});

test("options of a send count more than the client's", async (t) => {
  const { fake, client } = await setUp(t, { streamingTimeout: 60_000 });
  fake.faults[START] = [hang];
  const options = { streamingTimeout: 40, fallbackOnError: false };
  await assert.rejects(client.send("Hi", options).whole, { code: "streaming_timeout" });
});

for (const [status, code, rest] of [
  [400, "invalid_request", { fields: { message: "is needed" } }],
  [401, "unauthorized", {}],
  [404, "not_found", {}],
  [409, "idempotency_conflict", {}],
  [409, "session_busy", { run_id: "another", retryable: true }],
  [413, "too_large", {}],
]) {
  test(`${status} ${code} is the caller's: told, not tried again`, async (t) => {
    const { fake, client } = await setUp(t);
    fake.faults[START] = [error(status, code, rest)];
    const thrown = await client.send("Hi").whole.catch((caught) => caught);
    assert.deepEqual([thrown.code, thrown.status, thrown.errorId], [code, status, "ERR_1"]);
    assert.deepEqual([thrown.fields, thrown.runId], [rest.fields ?? null, rest.run_id ?? null]);
    assert.deepEqual(fake.routes(), [START]);
  });
}

test("who signs in while a request is refused is asked for once more", async (t) => {
  const tokens = ["old", "new"];
  const getToken = async () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
  const { fake, client } = await setUp(t, { getToken });
  fake.faults[START] = [error(401, "unauthorized")];
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
  const sent = fake.requests.map(({ headers }) => headers.authorization);
  assert.deepEqual(sent, ["Bearer old", "Bearer new"]);
});

test("a proxy's 403 is the caller's, too", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [text(403, "no")];
  await assert.rejects(client.send("Hi").whole, { code: "http_403" });
  assert.deepEqual(fake.routes(), [START]);
});

test("429 and 503 wait for Retry-After, and are tried again", async (t) => {
  const { fake, client } = await setUp(t);
  const busy = { "Retry-After": "0" };
  fake.faults[START] = [error(429, "rate_limited", {}, busy), error(503, "over_capacity", { retry_after_s: 0 }), text(503, "", busy)];
  assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
  assert.equal(fake.of(START).length, 4);
  assertOneKey(fake);
});

test("but not for ever", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = Array.from({ length: 20 }, () => error(429, "rate_limited", { retry_after_s: 0 }));
  await assert.rejects(client.send("Hi").whole, { code: "rate_limited", retryAfterS: 0 });
  assert.deepEqual(fake.routes(), [START, START, START, START]);
});

test("and not longer than the caller would wait for the first piece", async (t) => {
  const { fake, client } = await setUp(t, { streamingTimeout: 500 });
  fake.faults[START] = [error(503, "over_capacity", { retry_after_s: 60, retryable: true })];
  const thrown = await client.send("Hi").whole.catch((caught) => caught);
  assert.deepEqual([thrown.code, thrown.retryAfterS, thrown.retryable], ["over_capacity", 60, true]);
  assert.deepEqual(fake.routes(), [START]);
});

for (const [status, code, rest] of [
  [502, "upstream_error", {}],
  [503, "storage_unavailable", { retry_after_s: 0 }],
  [500, "internal_error", {}],
]) {
  test(`a run that failed (${code}) while its whole answer was awaited is not tried again`, async (t) => {
    const { fake, client } = await setUp(t, { enableStreaming: false });
    fake.faults[WHOLE] = [error(status, code, { ...rest, run_id: RUN, retryable: true })];
    await assert.rejects(client.send("Hi").whole, { code, runId: RUN });
    assert.deepEqual(fake.routes(), [WHOLE]);
  });
}

test("a stop that is wanted begins no whole answer", async (t) => {
  const { fake, client } = await setUp(t, { chunkTimeout: 40 });
  fake.faults[START] = [hang, hang];
  const reply = client.send("Hi");
  await assert.rejects(reply.stop(), { code: "chunk_timeout" });
  assert.deepEqual(fake.of(WHOLE), []);
});

test("to leave while it waits for another try ends that wait", async (t) => {
  const { fake, client } = await setUp(t, { retry: { firstMs: 1e8, mostMs: 1e8 } });
  const waits = aPage(t);
  fake.faults[START] = [cutAt(150)];
  const reply = client.send("Hi");
  await waits.begun();
  reply.leave();
  await assert.rejects(reply.whole, { code: "left" });
  assert.deepEqual(fake.of(RESUME), []);
});

for (const [name, wake] of [
  ["the tab is shown again", (page) => page.show()],
  ["the machine is online again", (page) => page.online()],
]) {
  test(`a wait is over when ${name}`, async (t) => {
    const { fake, client } = await setUp(t, { retry: { firstMs: 1e8, mostMs: 1e8 } });
    const page = aPage(t);
    fake.faults[START] = [cutAt(150)];
    const reply = client.send("Hi");
    await page.begun();
    wake(page);
    assert.equal((await reply.whole).text, fake.pieces.join(""));
    while (page.listeners()) await new Promise(setImmediate); // the stream is let go after its end
  });
}

for (const [what, route, faults] of [
  ["resume", RESUME, { [START]: [cutAt(150)], [RESUME]: Array.from({ length: 5 }, () => cutAt(null)) }],
  ["send", START, { [START]: Array.from({ length: 5 }, () => cutAt(null)) }],
]) {
  test(`a machine that says it is offline does not use up its tries, and tries: to ${what}`, async (t) => {
    const { fake, client } = await setUp(t, { retry: { firstMs: 0, mostMs: 0, times: 1 } });
    aPage(t).offline();
    Object.assign(fake.faults, faults);
    assert.equal((await client.send("Hi").whole).text, fake.pieces.join(""));
    assert.equal(fake.of(route).length, 6);
    assertOneKey(fake);
  });
}

test("a stop is asked for while the machine says it is offline", async (t) => {
  const { fake, client } = await setUp(t, { retry: { firstMs: 0, mostMs: 0 } });
  aPage(t).offline();
  fake.faults[START] = [hangAt(150)];
  fake.faults["POST /api/runs/<run>/stop"] = Array.from({ length: 8 }, () => cutAt(null));
  assert.equal((await client.send("Hi").stop()).status, "stopped");
});

test("a stream that is silent after the machine was offline is resumed at once", async (t) => {
  const { fake, client } = await setUp(t, { chunkTimeout: 1e8 });
  const page = aPage(t);
  fake.faults[START] = [hangAt(150)];
  const reply = client.send("Hi");
  for await (const event of reply) if (event.type === "text") break;
  page.online();
  assert.equal((await reply.whole).text, fake.pieces.join(""));
});

/** Give this process what a page has: a document, `online` events; see what listens. */
function aPage(t) {
  const target = new EventTarget();
  const waiting = [];
  let count = 0;
  let waits = 0; // a wait for another try listens to the tab; a stream under way does not
  const fake = {
    visibilityState: "hidden",
    addEventListener(name, listener) {
      count += 1;
      target.addEventListener(name, listener);
      if (name !== "visibilitychange") return;
      waits += 1;
      for (const resolve of waiting.splice(0)) setImmediate(resolve);
    },
    removeEventListener(name, listener) {
      count -= 1;
      if (name === "visibilitychange") waits -= 1;
      target.removeEventListener(name, listener);
    },
  };
  const own = { ...fake, onLine: true };
  const names = { document: fake, addEventListener: fake.addEventListener, removeEventListener: fake.removeEventListener, navigator: own };
  const before = Object.fromEntries(Object.keys(names).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
  for (const [name, value] of Object.entries(names)) Object.defineProperty(globalThis, name, { value, configurable: true });
  t.after(() => {
    for (const [name, was] of Object.entries(before)) {
      if (was) Object.defineProperty(globalThis, name, was);
      else delete globalThis[name];
    }
  });
  return {
    begun: () => (waits > 0 ? undefined : new Promise((resolve) => waiting.push(resolve))),
    listeners: () => count,
    offline: () => { own.onLine = false; },
    online: () => { own.onLine = true; target.dispatchEvent(new Event("online")); },
    show: () => { fake.visibilityState = "visible"; target.dispatchEvent(new Event("visibilitychange")); },
  };
}
