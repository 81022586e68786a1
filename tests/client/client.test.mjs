// Sending, following, stopping, and what is one send; against a server that works.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TandemClient, TandemError } from "../../static/js/tandem-client.js";
import { RUN, answerJson, cutAt, error, hang, hangAt, openStream, raw } from "./support/fake-tandem.js";
import { eventsOf, setUp, textOf, typesOf } from "./support/fixture.js";

test("the events of a reply, and the whole of it", async (t) => {
  const { fake, client } = await setUp(t);
  const reply = client.send("Hi", { sessionId: "s1" });
  const { events } = await eventsOf(reply);
  assert.deepEqual(typesOf(events), ["start", "text", "text", "text", "text", "end"]);
  assert.deepEqual(events[0], { type: "start", runId: RUN, sessionId: "s1" });
  assert.deepEqual(events[1], { type: "text", text: "Hello", seq: 1 });
  const whole = await reply.whole;
  assert.equal(whole.text, fake.pieces.join(""));
  assert.deepEqual(events.at(-1), { type: "end", ...whole });
  assert.deepEqual([whole.runId, whole.sessionId, whole.finishReason, whole.usage.output_tokens], [RUN, "s1", "stop", 4]);
  assert.deepEqual([reply.runId, reply.sessionId, reply.text], [RUN, "s1", whole.text]);
});

test("what is sent", async (t) => {
  let asked = 0;
  const { fake, client } = await setUp(t, { getToken: async () => `token-${(asked += 1)}` });
  const options = { provider: "demo", model: "m", system: "be kind", temperature: 0, maxTokens: 9 };
  await client.send("Hi", { ...options, idempotencyKey: "key-1" }).whole;
  const [request] = fake.requests;
  const { session_id: sessionId, ...body } = request.json;
  const fields = { provider: "demo", model: "m", system: "be kind", temperature: 0, max_tokens: 9 };
  assert.deepEqual(body, { message: "Hi", partial: false, ...fields });
  assert.match(sessionId, /^[0-9a-f]{32}$/);
  assert.equal(request.headers["idempotency-key"], "key-1");
  assert.equal(request.headers.authorization, "Bearer token-1");
});

test("each send has a key of its own", async (t) => {
  const { fake, client } = await setUp(t, { token: "fixed" });
  await client.send("Hi").whole;
  await client.send("Hi").whole;
  const keys = fake.requests.map((request) => request.headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 2);
  assert.equal(fake.requests[1].headers.authorization, "Bearer fixed");
});

test("the same text in the same session is one send till it is answered", async (t) => {
  const { fake, client } = await setUp(t);
  const first = client.send("Hi", { sessionId: "a" });
  assert.equal(client.send("Hi", { sessionId: "a", model: "other" }), first);
  assert.equal(client.replyOf("a"), first);
  assert.notEqual(client.send("Hi", { sessionId: "b" }), first);
  const other = client.send("Ho", { sessionId: "a" });
  assert.notEqual(other, first);
  await Promise.all([first.whole, other.whole]);
  assert.equal(client.replyOf("a"), undefined);
  const again = client.send("Hi", { sessionId: "a" });
  assert.notEqual(again, first);
  await again.whole;
  assert.equal(fake.of("POST /api/chat/stream").filter(({ json }) => json.session_id === "a").length, 3);
});

test("a double click before there is a session is one send, too", async (t) => {
  const { fake, client } = await setUp(t);
  const first = client.send("Hi");
  assert.equal(client.send("Hi"), first);
  assert.equal(client.send("Hi", { sessionId: first.sessionId }), first);
  const other = client.send("Hi", { idempotencyKey: "another" });
  assert.notEqual(other, first);
  await Promise.all([first.whole, other.whole]);
  assert.equal(fake.requests.length, 2);
});

test("a failed send may be sent again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/chat/stream"] = [error(400, "invalid_request")];
  const first = client.send("Hi", { sessionId: "a" });
  await assert.rejects(first.whole, { code: "invalid_request" });
  await client.send("Hi", { sessionId: "a" }).whole;
});

test("every reader gets all events, a late one too", async (t) => {
  const { client } = await setUp(t);
  const reply = client.send("Hi");
  const [one, two] = await Promise.all([eventsOf(reply), eventsOf(reply)]);
  assert.deepEqual(one, two);
  assert.deepEqual(await eventsOf(reply), one);
});

test("who leaves the loop stops nothing", async (t) => {
  const { fake, client } = await setUp(t);
  const reply = client.send("Hi");
  for await (const event of reply) if (event.type === "text") break;
  assert.equal((await reply.whole).text, fake.pieces.join(""));
});

test("a run that failed throws its error, with the text that had come", async (t) => {
  const { fake, client } = await setUp(t);
  fake.end = { error: "The model failed.", code: "upstream_error", error_id: "ERR_7", finish_reason: "error", retryable: true };
  const reply = client.send("Hi", { sessionId: "s1" });
  const { events, error: thrown } = await eventsOf(reply);
  assert.equal(textOf(events), fake.pieces.join(""));
  assert.ok(thrown instanceof TandemError);
  const { code, message, errorId, retryable, text, runId, sessionId, finishReason } = thrown;
  assert.deepEqual([code, message, errorId, retryable], ["upstream_error", "The model failed.", "ERR_7", true]);
  assert.deepEqual([text, runId, sessionId, finishReason], [fake.pieces.join(""), RUN, "s1", "error"]);
  await assert.rejects(reply.whole, thrown);
  assert.equal(fake.requests.length, 1);
});

test("an event that is not JSON is a warning, and the stream goes on", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/chat/stream"] = [
    (response, frames) => raw(Buffer.concat([Buffer.from("data: {oops\n\ndata: null\n\nevent: x\ndata: 7\n\n"), frames]))(response),
  ];
  const { events, error: thrown } = await eventsOf(client.send("Hi"));
  assert.equal(thrown, null);
  assert.equal(events.find((event) => event.type === "warning").data, "{oops");
  assert.equal(textOf(events), fake.pieces.join(""));
});

test("status events are passed on", async (t) => {
  const { fake, client } = await setUp(t);
  const status = `data: {"status":"thinking","age_s":1.5,"run_id":"${RUN}","seq":0.5}\n\n`;
  fake.faults["POST /api/chat/stream"] = [
    (response, frames) => raw(Buffer.concat([Buffer.from(status), frames]))(response),
  ];
  const { events } = await eventsOf(client.send("Hi"));
  assert.deepEqual(events[1], { type: "status", status: "thinking", ageS: 1.5 });
});

test("stop answers with the receipt, twice with the same", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/chat/stream"] = [hangAt(150)];
  const reply = client.send("Hi");
  for await (const event of reply) if (event.type === "text") break;
  const receipt = await reply.stop();
  assert.deepEqual([receipt.run_id, receipt.status], [RUN, "stopped"]);
  assert.equal(await reply.stop(), receipt);
  assert.equal(fake.of("POST /api/runs/<run>/stop").length, 1);
});

test("a stop before the run is known waits for it", async (t) => {
  const { fake, client } = await setUp(t);
  let answer;
  fake.faults["POST /api/chat/stream"] = [(response) => { answer = () => openStream(response); }];
  const reply = client.send("Hi");
  const stopped = reply.stop();
  await fake.waitFor("POST /api/chat/stream");
  answer();
  assert.equal((await stopped).status, "stopped");
});

test("a stop of what never began rejects with its error", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/chat/stream"] = [error(400, "invalid_request")];
  await assert.rejects(client.send("Hi").stop(), { code: "invalid_request" });
});

test("a stop that meets a cut is sent again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/runs/<run>/stop"] = [(response) => response.socket.destroy(), error(503, "x", { retry_after_s: 0 })];
  const reply = client.send("Hi");
  await reply.whole;
  assert.equal((await reply.stop()).status, "stopped");
});

test("an aborted signal stops the run", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/chat/stream"] = [hangAt(150)];
  const controller = new AbortController();
  const reply = client.send("Hi", { signal: controller.signal });
  for await (const event of reply) if (event.type === "text") break;
  controller.abort();
  await fake.waitFor("POST /api/runs/<run>/stop");
});

test("a signal that is aborted already sends nothing", async (t) => {
  const { fake, client } = await setUp(t);
  await assert.rejects(client.send("Hi", { signal: AbortSignal.abort() }).whole, { code: "aborted" });
  assert.deepEqual(fake.requests, []);
});

test("to leave a reply closes its connection, and stops nothing", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/chat/stream"] = [hangAt(150)];
  const reply = client.send("Hi");
  for await (const event of reply) if (event.type === "text") break;
  reply.leave();
  await fake.requests[0].closed;
  const { error: thrown } = await eventsOf(reply);
  assert.equal(thrown, null);
  await assert.rejects(reply.whole, { code: "left", runId: RUN, text: "Hello" });
  assert.deepEqual(fake.routes(), ["POST /api/chat/stream"]);
});

test("follow takes up a run from an entry on", async (t) => {
  const { fake, client } = await setUp(t);
  const { events } = await eventsOf(client.follow(RUN, { after: 2 }));
  assert.equal(fake.requests[0].url, `/api/runs/${RUN}/events?after=2&partial=false`);
  assert.equal(textOf(events), fake.pieces.slice(2).join(""));
  assert.equal(events.at(-1).text, fake.pieces.join(""));
});

test("204 means that all was seen: the record says how it ended", async (t) => {
  const { fake, client } = await setUp(t);
  const { events, error: thrown } = await eventsOf(client.follow(RUN, { after: 5 }));
  assert.equal(thrown, null);
  assert.deepEqual(fake.routes(), ["GET /api/runs/<run>/events", "GET /api/runs/<run>"]);
  assert.deepEqual([events[0].type, events[1].type, events[1].finishReason], ["start", "end", "stop"]);
});

test("204 of a run that failed is its error", async (t) => {
  const { fake, client } = await setUp(t);
  const failure = { code: "run_timeout", message: "Too long.", error_id: "ERR_2", retryable: true };
  fake.record = () => ({ run_id: RUN, session_id: "s1", status: "failed", seq: 5, finish_reason: "error", error: failure });
  const thrown = await client.follow(RUN, { after: 5 }).whole.catch((caught) => caught);
  assert.deepEqual([thrown.code, thrown.errorId, thrown.finishReason], ["run_timeout", "ERR_2", "error"]);
});

test("a whole answer, where streaming is off", async (t) => {
  const { fake, client } = await setUp(t, { enableStreaming: false });
  const { events } = await eventsOf(client.send("Hi"));
  assert.deepEqual(fake.routes(), ["POST /api/chat"]);
  assert.deepEqual(typesOf(events), ["start", "text", "end"]);
  assert.equal(events[1].text, fake.pieces.join(""));
});

test("a whole answer can be stopped: its session names the run", async (t) => {
  const { fake, client } = await setUp(t, { enableStreaming: false });
  fake.faults["POST /api/chat"] = [hang];
  fake.faults["GET /api/chat/sessions/<id>"] = [
    error(404, "not_found"),
    (response) => answerJson(response, 200, { active_run: null }),
    (response) => answerJson(response, 200, { active_run: { run_id: RUN, seq: 0 } }),
  ];
  const receipt = await client.send("Hi").stop();
  assert.equal(receipt.status, "stopped");
});

test("a transport that is not there is told at once", () => {
  const client = new TandemClient({ transport: "socket" });
  assert.throws(() => client.send("Hi"), TypeError);
});

test("nobody who ignores a reply hears of its failure", async (t) => {
  const { fake, client } = await setUp(t);
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  fake.faults["POST /api/chat/stream"] = [error(400, "invalid_request")];
  const reply = client.send("Hi");
  await eventsOf(reply);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});

test("a session is followed through cuts; a run that ended meanwhile is told", async (t) => {
  const { fake, client } = await setUp(t);
  const news = (name, data) => `event: ${name}\ndata: ${JSON.stringify({ run_id: RUN, session_id: "s1", seq: 1, ...data })}\n\n`;
  const route = "GET /api/chat/sessions/<id>/events";
  fake.faults[route] = [
    (response) => raw(": open\n\n" + news("run_started"))(response),
    (response) => {
      openStream(response);
      response.write(`: open\n\nevent: run_started\ndata: {oops\n\n${news("run_started", { run_id: "second" })}`);
    },
  ];
  const watch = client.watchSession("s1");
  const seen = [];
  for await (const event of watch) {
    seen.push([event.type, event.runId, event.status]);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, [
    ["run_started", RUN, undefined],
    ["run_ended", RUN, "completed"],
    ["run_started", "second", undefined],
  ]);
  await fake.of(route)[1].closed;
});

test("an exported file has its conversation's name", async () => {
  const names = [];
  for (const written of ["attachment; filename=gr-e.md; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%21.md", "attachment"]) {
    const headers = { "Content-Disposition": written, "Content-Type": "text/markdown" };
    const client = new TandemClient({ fetch: async () => new Response("# Hi", { headers }) });
    names.push((await client.sessions.export("s1", "markdown")).name);
  }
  assert.deepEqual(names, ["Größe !.md", "conversation"]);
});

test("a search that is overtaken is given up", async () => {
  const fetch = (url, { signal }) => new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  const client = new TandemClient({ fetch });
  for (const call of ["page", "list"]) {
    const overtaken = new AbortController();
    const found = client.sessions[call]({ search: "a", signal: overtaken.signal });
    setImmediate(() => overtaken.abort());
    await assert.rejects(found, { name: "TandemError" });
  }
});

test("a watch tells of another branch, and ends with its session", async (t) => {
  const { fake, client } = await setUp(t);
  const news = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  for (const gone of ["s1", null]) {
    fake.faults["GET /api/chat/sessions/<id>/events"] = [
      raw(": open\n\n" + news("branch_changed", { session_id: "s1", leaf_id: "m2" }) + news("session_deleted", { session_id: gone })),
    ];
    const seen = [];
    for await (const event of client.watchSession("s1")) seen.push(event);
    assert.deepEqual(seen, [
      { type: "branch_changed", sessionId: "s1", leafId: "m2" },
      { type: "session_deleted", sessionId: "s1" },
    ]);
  }
});

test("a message says what it was written under, none too", async (t) => {
  const { fake, client } = await setUp(t);
  for (const parentId of ["m1", null, undefined]) await client.send("Hi", { sessionId: "s1", parentId, sessionMustExist: true }).whole;
  const asked = fake.of("POST /api/chat/stream").map(({ json }) => [json.parent_id, "parent_id" in json, json.session_must_exist]);
  assert.deepEqual(asked, [["m1", true, true], [null, true, true], [undefined, false, true]]);
});

test("a watch that is closed ends; one of no session throws", async (t) => {
  const { fake, client } = await setUp(t);
  const route = "GET /api/chat/sessions/<id>/events";
  fake.faults[route] = [openStream];
  const watch = client.watchSession("s1");
  const next = watch[Symbol.asyncIterator]().next();
  await fake.waitFor(route);
  watch.close();
  assert.deepEqual(await next, { value: undefined, done: true });
  await assert.rejects(client.watchSession("none")[Symbol.asyncIterator]().next(), { code: "not_found" });
});

test("what an edit, a regeneration and a thinking model need is asked for", async (t) => {
  const { fake, client } = await setUp(t);
  await client.send("Hi", { sessionId: "s1", edit: "m1", reasoning: true }).whole;
  await client.send("", { sessionId: "s1", regenerate: "m2" }).whole;
  const [edited, regenerated] = fake.of("POST /api/chat/stream").map((request) => request.json);
  assert.deepEqual([edited.message, edited.edit, edited.reasoning], ["Hi", "m1", true]);
  assert.deepEqual([regenerated.message, regenerated.regenerate], [undefined, "m2"]);
});

test("the same text to another place is another message", async (t) => {
  const { fake, client } = await setUp(t);
  const [one, two] = [client.send("Hi", { sessionId: "s1" }), client.send("Hi", { sessionId: "s1", edit: "m1" })];
  assert.notEqual(one, two);
  await Promise.all([one.whole, two.whole]);
  assert.equal(fake.of("POST /api/chat/stream").length, 2);
});

test("a reply is carried on, and what is cut of that is resumed", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/runs/<run>/continue"] = [cutAt(150)];
  const { events } = await eventsOf(client.continue(RUN, { sessionId: "s1" }));
  assert.equal(textOf(events), fake.pieces.join(""));
  assert.equal(events.find((event) => event.type === "resume").reason, "network");
  assert.equal(fake.of("POST /api/runs/<run>/continue").length, 1);
});

test("a continuation that does not begin is tried once", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults["POST /api/runs/<run>/continue"] = [cutAt(null)];
  const { error } = await eventsOf(client.continue(RUN));
  assert.equal(error.code, "network");
  assert.deepEqual(fake.routes(), ["POST /api/runs/<run>/continue"]);
});

test("thoughts come with the status", async (t) => {
  const { fake, client } = await setUp(t);
  const status = `data: {"status":"thinking","reasoning":"Hm","run_id":"${RUN}"}\n\n`;
  fake.faults["POST /api/chat/stream"] = [(response, frames) => raw(Buffer.concat([Buffer.from(status), frames]))(response)];
  const { events } = await eventsOf(client.send("Hi", { reasoning: true }));
  assert.deepEqual(events[1], { type: "status", status: "thinking", ageS: null, reasoning: "Hm" });
});

test("the routes of conversations are asked as they are documented", async (t) => {
  const { fake, client } = await setUp(t);
  const { sessions } = client;
  const calls = [
    [() => sessions.page({ limit: 2, before: "1:a", search: "é" }), "GET /api/chat/sessions?limit=2&before=1%3Aa&q=%C3%A9"],
    [() => sessions.update("a/b", { title: "T" }), "PATCH /api/chat/sessions/a%2Fb"],
    [() => sessions.branch("s", "m"), "POST /api/chat/sessions/s/branch"],
    [() => sessions.export("s", "markdown"), "GET /api/chat/sessions/s/export?format=markdown"],
    [() => sessions.deleteAll(), "DELETE /api/chat/sessions"],
    [() => client.models(), "GET /api/models"],
    [() => client.usage({ sessionId: "s" }), "GET /api/usage?session_id=s"],
    [() => client.usage({ days: 7 }), "GET /api/usage?days=7"],
  ];
  for (const [call, asked] of calls) {
    await call().catch(() => {}); // the stand-in has no such route
    const { route, url } = fake.requests.at(-1);
    assert.equal(`${route.split(" ")[0]} ${url}`, asked);
  }
});
