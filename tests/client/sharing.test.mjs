// Tabs that share a connection: clients of one process, which a BroadcastChannel joins as it joins
// the tabs of a browser.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { TandemClient } from "../../static/js/tandem-client.js";
import { FakeStreams } from "./support/fake-streams.js";
import { eventsOf, SOON, textOf, typesOf } from "./support/fixture.js";

/** Return { fake, tab() }, where `tab` makes a client that shares. */
async function setUp(t) {
  const fake = await new FakeStreams().start();
  const tabs = [];
  const tab = (options = {}) => {
    const client = new TandemClient({ baseUrl: fake.url, share: true, chunkTimeout: 20_000, retry: SOON, ...options });
    tabs.push(client);
    return client;
  };
  t.after(async () => {
    for (const client of tabs) client.close();
    await fake.stop();
  });
  return { fake, tab };
}

/** Send, and wait until the run is followed. */
async function begin(fake, client, message, options) {
  const reply = client.send(message, options);
  await fake.until(() => fake.open.some(({ cursors }) => cursors.has(message)));
  return reply;
}

const pieces = async (reply, count) => {
  for await (const event of reply) if (event.type === "text" && (count -= 1) === 0) return;
};

test("many tabs have one connection, and each its own reply", async (t) => {
  const { fake, tab } = await setUp(t);
  const names = ["a", "b", "c", "d"];
  const replies = [];
  for (const name of names) replies.push(await begin(fake, tab(), name));
  await fake.until(() => fake.open.length === 1);
  assert.deepEqual([...fake.open[0].cursors.keys()], names);
  for (const name of names) {
    fake.say(name, `text of ${name}`);
    fake.end(name);
  }
  const wholes = await Promise.all(replies.map((reply) => reply.whole));
  assert.deepEqual(wholes.map(({ text, sessionId }) => [text, sessionId]), names.map((name) => [`text of ${name}`, `of ${name}`]));
  await fake.until(() => fake.open.length === 0); // nobody wants anything
  assert.deepEqual(fake.starts.map(({ detach }) => detach), [true, true, true, true]);
});

test("what comes while another connection is opened comes once, though pieces are joined", async (t) => {
  const { fake, tab } = await setUp(t);
  const first = await begin(fake, tab(), "first");
  fake.say("first", "one ");
  await pieces(first, 1);
  fake.holds = true;
  const second = tab().send("second");
  await fake.until(() => fake.held.length === 1);
  fake.say("first", "two ");
  fake.say("first", "three ");
  fake.release();
  fake.say("first", "four");
  await fake.until(() => fake.open.some(({ cursors }) => cursors.has("second")));
  for (const run of ["first", "second"]) fake.end(run);
  const { events } = await eventsOf(first);
  assert.equal(textOf(events), "one two three four");
  assert.ok(!typesOf(events).includes("resume"));
  assert.equal((await second.whole).text, "");
});

test("a run that waits and goes on is followed by another connection", async (t) => {
  const { fake, tab } = await setUp(t);
  const client = tab();
  const watch = client.watchAll(); // keeps the first connection
  t.after(() => watch.close());
  const told = watch[Symbol.asyncIterator]().next();
  const first = await begin(fake, client, "ask");
  fake.say("ask", "one ");
  fake.wait("ask");
  const { finishReason, requiresAction, seq } = await first.whole;
  assert.deepEqual([finishReason, requiresAction[0].call_id, seq], ["requires_action", "c1", 2]);
  assert.equal((await told).value.type, "run_waiting");
  const rest = client.follow("ask", { after: seq });
  await fake.until(() => fake.open.some(({ cursors }) => cursors.get("ask") === 2));
  fake.say("ask", "two");
  fake.end("ask");
  const { events } = await eventsOf(rest);
  assert.deepEqual(typesOf(events), ["start", "text", "end"]);
  assert.equal(textOf(events), "two");
});

test("a leader that goes loses nothing for the others", async (t) => {
  const { fake, tab } = await setUp(t);
  const leader = tab();
  const own = await begin(fake, leader, "own");
  const others = [await begin(fake, tab(), "x"), await begin(fake, tab(), "y")];
  await fake.until(() => fake.open.length === 1);
  for (const run of ["own", "x", "y"]) fake.say(run, "before, ");
  await Promise.all(others.map((reply) => pieces(reply, 1)));
  leader.close();
  await assert.rejects(own.whole, { code: "left" });
  for (const run of ["x", "y"]) fake.say(run, "meanwhile, ");
  await fake.until(() => fake.open.some(({ cursors }) => cursors.has("x") && cursors.has("y") && !cursors.has("own")));
  for (const run of ["x", "y"]) {
    fake.say(run, "after");
    fake.end(run);
  }
  for (const reply of others) {
    const { events } = await eventsOf(reply);
    assert.equal(textOf(events), "before, meanwhile, after");
    assert.equal(events.at(-1).text, "before, meanwhile, after");
  }
});

test("a leader that does not answer is replaced, and follows when it is awake", async (t) => {
  const { fake, tab } = await setUp(t);
  const gate = new SharedArrayBuffer(4);
  const workerData = { url: fake.url, message: "frozen", gate };
  const worker = new Worker(new URL("support/frozen-tab.mjs", import.meta.url), { workerData });
  t.after(() => worker.terminate());
  await fake.until(() => fake.open.some(({ cursors }) => cursors.has("frozen")));
  fake.say("frozen", "first, "); // it stops here
  const reply = await begin(fake, tab(), "go");
  fake.say("go", "there");
  await pieces(reply, 1);
  fake.say("frozen", "second");
  const awake = once(worker, "message");
  Atomics.store(new Int32Array(gate), 0, 1);
  Atomics.notify(new Int32Array(gate), 0);
  fake.end("frozen");
  assert.deepEqual(await awake, ["first, second"]);
  fake.end("go");
  assert.equal((await reply.whole).text, "there");
});

test("a cut is resumed by all, with their cursors", async (t) => {
  const { fake, tab } = await setUp(t);
  const replies = [await begin(fake, tab(), "x"), await begin(fake, tab(), "y")];
  await fake.until(() => fake.open.length === 1);
  for (const run of ["x", "y"]) fake.say(run, "before, ");
  await Promise.all(replies.map((reply) => pieces(reply, 1)));
  fake.cut();
  await fake.until(() => fake.open.some(({ cursors }) => cursors.get("x") === 1 && cursors.get("y") === 1));
  for (const run of ["x", "y"]) {
    fake.say(run, "after");
    fake.end(run);
  }
  for (const reply of replies) {
    const { events } = await eventsOf(reply);
    assert.equal(textOf(events), "before, after");
    assert.equal(events.find(({ type }) => type === "resume").reason, "network");
  }
});

test("a run that is refused fails alone", async (t) => {
  const { fake, tab } = await setUp(t);
  const kept = await begin(fake, tab(), "kept");
  fake.refused.set("gone", "not_found");
  const client = tab();
  await assert.rejects(client.follow("gone").whole, { code: "not_found", runId: "gone" });
  fake.say("kept", "all of it");
  fake.end("kept");
  const { events } = await eventsOf(kept);
  assert.equal(textOf(events), "all of it");
  assert.ok(!typesOf(events).includes("resume"));
});

test("two tabs follow one run, each from where it is", async (t) => {
  const { fake, tab } = await setUp(t);
  const first = await begin(fake, tab(), "both");
  for (const token of ["one ", "two "]) fake.say("both", token);
  await pieces(first, 2);
  const second = tab().follow("both");
  await pieces(second, 1);
  fake.say("both", "three");
  fake.end("both");
  for (const reply of [first, second]) assert.equal(textOf((await eventsOf(reply)).events), "one two three");
});

test("a run that was seen to its end is told from its record", async (t) => {
  const { fake, tab } = await setUp(t);
  fake.entries.set("over", []);
  fake.end("over");
  const whole = await tab().follow("over", { after: 1 }).whole;
  assert.equal(whole.finishReason, "stop");
});

test("what is one too many for a connection has one of its own", async (t) => {
  const { fake, tab } = await setUp(t);
  const client = tab();
  const names = Array.from({ length: 52 }, (_, at) => `run${at}`);
  const replies = names.map((name) => client.send(name));
  await fake.until(() => new Set(fake.open.flatMap(({ cursors }) => [...cursors.keys()])).size === 52);
  for (const name of names) fake.end(name);
  const wholes = await Promise.all(replies.map((reply) => reply.whole));
  assert.equal(wholes.length, 52);
  assert.equal(fake.opened.filter(({ alone }) => alone).length, 2);
});

test("tabs of other users keep apart", async (t) => {
  const { fake, tab } = await setUp(t);
  const [ann, bob] = ["ann", "bob"].map((token) => tab({ token }));
  const replies = [await begin(fake, ann, "hers"), await begin(fake, bob, "his")];
  const tokens = fake.open.map(({ token, cursors }) => [token, ...cursors.keys()]);
  assert.deepEqual(tokens, [["Bearer ann", "hers"], ["Bearer bob", "his"]]);
  for (const run of ["hers", "his"]) fake.end(run);
  await Promise.all(replies.map((reply) => reply.whole));
});

test("a whole answer is waited for on the shared connection", async (t) => {
  const { fake, tab } = await setUp(t);
  const reply = await begin(fake, tab(), "go", { enableStreaming: false });
  fake.say("go", "all ");
  fake.say("go", "at once");
  fake.end("go");
  const { events } = await eventsOf(reply);
  assert.deepEqual(typesOf(events), ["start", "text", "end"]);
  assert.equal(textOf(events), "all at once");
});

test("news are told once to each watch, with what is under way, and that some may be missing", async (t) => {
  const { fake, tab } = await setUp(t);
  const [early, late] = [tab(), tab()];
  const watches = [early.watchAll()];
  t.after(() => watches.forEach((watch) => watch.close()));
  const seen = [[], []];
  const told = [];
  const listen = async (watch, into) => {
    for await (const event of watch) {
      into.push(event);
      for (const look of told.splice(0)) look();
    }
  };
  const until = async (holds) => {
    while (!holds()) await new Promise((resolve) => told.push(resolve));
  };
  listen(watches[0], seen[0]);
  await fake.until(() => fake.open.length === 1);
  const started = { run_id: "r", session_id: "s", seq: 0 };
  fake.news("run_started", started);
  await until(() => seen[0].length === 1);
  watches.push(late.watchAll());
  listen(watches[1], seen[1]);
  await until(() => seen[1].length === 1);
  const reply = await begin(fake, late, "more"); // another connection takes the place of the first
  fake.news("run_started", started);
  fake.news("run_ended", { ...started, seq: 2, status: "completed" });
  fake.news("session_deleted", { session_id: null });
  await until(() => seen.every((all) => all.at(-1).type === "session_deleted"));
  for (const all of seen) {
    assert.deepEqual(all.slice(0, 3), [
      { type: "run_started", sessionId: "s", runId: "r", seq: 0 },
      { type: "run_ended", sessionId: "s", runId: "r", seq: 2, status: "completed" },
      { type: "session_deleted", sessionId: null },
    ]);
  }
  fake.cut();
  await until(() => seen.every((all) => all.at(-1).type === "reconnected"));
  fake.end("more");
  await reply.whole;
});

test("a session is watched on the shared connection", async (t) => {
  const { fake, tab } = await setUp(t);
  const watch = tab().watchSession("mine");
  const seen = [];
  const reading = (async () => {
    for await (const event of watch) seen.push(event);
  })();
  await fake.until(() => fake.open.length === 1);
  for (const session_id of ["other", "mine"]) fake.news("run_started", { run_id: `in ${session_id}`, session_id, seq: 0 });
  fake.news("session_deleted", { session_id: null });
  await reading;
  assert.deepEqual(seen, [
    { type: "run_started", runId: "in mine", sessionId: "mine", seq: 0 },
    { type: "session_deleted", sessionId: "mine" },
  ]);
});
