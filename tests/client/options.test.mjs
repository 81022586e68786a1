// Options that say more, wait otherwise, or bring a library along.

import assert from "node:assert/strict";
import { test } from "node:test";

import { RUN, cutAt, hang } from "./support/fake-tandem.js";
import { setUp } from "./support/fixture.js";

const START = "POST /api/chat/stream";

test("debug says what is sent, each resume and each change of the way, and no word of it", async (t) => {
  const said = [];
  t.mock.method(console, "debug", (...line) => said.push(line));
  const { fake, client } = await setUp(t, { debug: true });
  fake.faults[START] = [cutAt(150)];
  await client.send("planted", { sessionId: "s1", system: "planted too", model: "m", idempotencyKey: "k" }).whole;
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
