// Pictures and files: uploads, messages that have them, and the pictures that a model makes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { blocksOf, filesOf, partOf, withFile } from "../../static/js/tandem-client.js";
import { createUseChat } from "../../static/js/use-chat.js";
import { RUN, answerJson, cutAt, error, hang } from "./support/fake-tandem.js";
import { SOON, eventsOf, setUp, typesOf } from "./support/fixture.js";
import { React, mount } from "./support/mounted.js";

const UPLOAD = "POST /api/attachments";
const ONE = "/api/attachments/<id>";
const START = "POST /api/chat/stream";
const MADE = { type: "image", attachment_id: "m1", name: "cat.png", media_type: "image/png", bytes: 9 };
const { type: _, ...TOLD } = MADE;
const LOG = [
  { token: "Here: " },
  { file: TOLD },
  { done: true, finish_reason: "stop", full_response: "Here: ", session_id: "s1", usage: null },
];
const photo = (text = "bytes", name = "é\r\n\ud800 “a”.png") => new File([text], name, { type: "image/png" });

test("an upload has its bytes, its name and a key", async (t) => {
  const { fake, client } = await setUp(t, { token: "t1" });
  const attachment = await client.upload(photo());
  const [request] = fake.requests;
  assert.deepEqual([request.route, request.bytes.toString()], [UPLOAD, "bytes"]);
  assert.equal(decodeURIComponent(request.headers["x-file-name"]), "é\r\n\ufffd “a”.png");
  assert.equal(request.headers["content-type"], "image/png");
  assert.equal(request.headers.authorization, "Bearer t1");
  assert.match(request.headers["idempotency-key"], /^[0-9a-f]{32}$/);
  assert.deepEqual([attachment.id, attachment.media_type, attachment.bytes], ["a1", "image/png", 5]);
});

test("a file without a name or type is sent all the same, or with a name that is given", async (t) => {
  const { fake, client } = await setUp(t);
  await client.upload(new Blob(["x"]));
  await client.upload(new Blob(["x"]), { name: "x.txt", idempotencyKey: "k" });
  const [{ headers: none }, { headers: named }] = fake.requests;
  assert.deepEqual([none["x-file-name"], none["content-type"]], [undefined, "application/octet-stream"]);
  assert.deepEqual([named["x-file-name"], named["idempotency-key"]], ["x.txt", "k"]);
});

test("an upload whose connection is cut is tried again, as the same one", async (t) => {
  const { fake, client } = await setUp(t);
  const afterwards = (response, frames, proceed) => {
    response.writeHead = () => response; // what it answers is lost
    response.end = () => response.socket.destroy();
    proceed();
  };
  fake.faults[UPLOAD] = [cutAt(null), afterwards, error(503, "storage_unavailable", { retry_after_s: 0 })];
  assert.equal((await client.upload(photo())).id, "a1");
  assert.deepEqual([fake.of(UPLOAD).length, fake.uploads.size], [4, 1]);
});

test("an upload that is refused fails at once, with the server's sentence", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[UPLOAD] = [error(413, "too_large")];
  await assert.rejects(client.upload(photo()), { code: "too_large", status: 413, message: "It is too_large." });
  assert.equal(fake.requests.length, 1);
});

test("the tries of an upload come to an end", async (t) => {
  const { fake, client } = await setUp(t, { retry: { ...SOON, times: 2 } });
  fake.faults[UPLOAD] = Array(9).fill(cutAt(null));
  await assert.rejects(client.upload(photo()), { code: "network" });
  assert.equal(fake.requests.length, 3);
});

test("an upload that is aborted closes its connection, and is not tried again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[UPLOAD] = [hang];
  const controller = new AbortController();
  const upload = client.upload(photo(), { signal: controller.signal });
  const request = await fake.waitFor(UPLOAD);
  controller.abort();
  await assert.rejects(upload, { code: "aborted" });
  await request.closed;
  await assert.rejects(client.upload(photo(), { signal: controller.signal }), { code: "aborted" });
  assert.equal(fake.requests.length, 1);
});

test("an upload is aborted while it waits for the next try", async (t) => {
  const { fake, client } = await setUp(t, { retry: { firstMs: 1e7, mostMs: 1e7, times: 9 } });
  fake.faults[UPLOAD] = [error(429, "rate_limited", { retry_after_s: 3600 })];
  const controller = new AbortController();
  const upload = client.upload(photo(), { signal: controller.signal });
  await (await fake.waitFor(UPLOAD)).closed;
  controller.abort();
  await assert.rejects(upload, { code: "aborted" });
});

test("an attachment is read, looked for and removed by its id", async (t) => {
  const { fake, client } = await setUp(t, { token: "t1" });
  fake.faults[`GET ${ONE}`] = [(response) => response.writeHead(200, { "Content-Type": "image/png" }).end("bytes")];
  fake.faults[`HEAD ${ONE}`] = [(response) => response.writeHead(200).end(), (response) => response.writeHead(500).end()];
  fake.faults[`DELETE ${ONE}`] = [(response) => response.writeHead(204).end(), error(409, "attachment_in_use")];
  assert.equal(client.attachmentUrl("a/1"), `${fake.url}/api/attachments/a%2F1`);
  const blob = await client.attachment("a1");
  assert.deepEqual([blob.type, await blob.text()], ["image/png", "bytes"]);
  assert.equal(await client.hasAttachment("a1"), true);
  await assert.rejects(client.hasAttachment("a1"), { status: 500 });
  assert.equal(await client.hasAttachment("a1"), false);
  assert.equal(await client.removeAttachment("a1"), undefined);
  await assert.rejects(client.removeAttachment("a1"), { code: "attachment_in_use" });
  assert.ok(fake.requests.every(({ headers }) => headers.authorization === "Bearer t1"));
});

test("files are uploaded first, in their order, and named in the message", async (t) => {
  const { fake, client } = await setUp(t);
  const attachments = [photo("1", "1.png"), "known", { id: "other" }, new Blob(["22"])];
  const reply = client.send("Look", { attachments });
  const { events } = await eventsOf(reply);
  assert.deepEqual(fake.routes(), [UPLOAD, UPLOAD, START]);
  assert.deepEqual(fake.of(START)[0].json.attachments, ["a1", "known", "other", "a2"]);
  const uploads = events.filter(({ type }) => type === "upload");
  assert.deepEqual(uploads.map(({ index, name, loaded, total, attachment }) => [index, name, loaded, total, attachment.id]), [[0, "1.png", 1, 1, "a1"], [3, "", 2, 2, "a2"]]);
  assert.deepEqual(typesOf(events).slice(0, 3), ["upload", "upload", "start"]);
});

test("a message without attachments says nothing of them", async (t) => {
  const { fake, client } = await setUp(t);
  await client.send("Hi", { attachments: [] }).whole;
  assert.equal("attachments" in fake.requests[0].json, false);
});

test("so over the whole answer, and where the message is tried again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[START] = [cutAt(null), cutAt(null)];
  await client.send("Look", { attachments: [photo()] }).whole;
  assert.deepEqual([fake.of(UPLOAD).length, fake.of(START).length], [1, 2]);
  assert.deepEqual(fake.of("POST /api/chat")[0].json.attachments, ["a1"]);
});

test("an upload that is refused fails the reply, and nothing is sent", async (t) => {
  const { fake, client } = await setUp(t);
  fake.faults[UPLOAD] = [error(415, "unsupported_media_type")];
  const reply = client.send("Look", { sessionId: "s1", attachments: [photo()] });
  const { error: failure } = await eventsOf(reply);
  assert.deepEqual([failure.code, failure.sessionId, failure.runId], ["unsupported_media_type", "s1", null]);
  assert.deepEqual(fake.routes(), [UPLOAD]);
  assert.equal(client.replyOf("s1"), undefined);
});

for (const [how, code] of [["stop", "aborted"], ["leave", "left"]]) {
  test(`${how} while a file is uploaded sends nothing`, async (t) => {
    const { fake, client } = await setUp(t);
    fake.faults[UPLOAD] = [hang];
    const reply = client.send("Look", { attachments: [photo()] });
    const request = await fake.waitFor(UPLOAD);
    const stopped = reply[how]();
    await assert.rejects(reply.whole, { code });
    if (how === "stop") await assert.rejects(stopped, { code });
    await request.closed;
    assert.deepEqual(fake.routes(), [UPLOAD]);
  });
}

test("stopping an upload for a whole answer stops no run of the session", async (t) => {
  const { fake, client } = await setUp(t);
  const another = (response) => answerJson(response, 200, { id: "s1", active_run: { run_id: RUN } });
  fake.faults["GET /api/chat/sessions/<id>"] = [another];
  fake.faults[UPLOAD] = [hang];
  const to = { sessionId: "s1", enableStreaming: false };
  const reply = client.send("Look", { ...to, attachments: [photo()] });
  await fake.waitFor(UPLOAD);
  await assert.rejects(reply.stop(), { code: "aborted" });
  await assert.rejects(reply.whole, { code: "aborted" });
  assert.deepEqual(fake.routes(), [UPLOAD]);
});

test("what is stopped when its files are there is not sent", async (t) => {
  const { fake, client } = await setUp(t);
  const reply = client.send("Look", { attachments: ["known"] });
  await assert.rejects(reply.stop(), { code: "aborted" });
  assert.deepEqual(fake.routes(), []);
});

test("the end of a reply says which files found no room", async (t) => {
  const { fake, client } = await setUp(t);
  assert.deepEqual((await client.send("Look").whole).leftOut, []);
  fake.end = { ...fake.end, left_out: ["a.pdf"] };
  const { events } = await eventsOf(client.send("Look", { attachments: [photo("1", "a.pdf")] }));
  assert.deepEqual(events.at(-1).leftOut, ["a.pdf"]);
});

test("uploading does not count towards streamingTimeout", async (t) => {
  const { fake, client } = await setUp(t, { streamingTimeout: 300, fallbackOnError: false });
  fake.faults[UPLOAD] = [(response, frames, proceed) => setTimeout(proceed, 400)];
  const { text } = await client.send("Look", { attachments: [photo()] }).whole;
  assert.equal(text, fake.pieces.join(""));
});

test("the same text with other files is another message; a double click is not", async (t) => {
  const { fake, client } = await setUp(t);
  const [file, options] = [photo(), { sessionId: "s1" }];
  const first = client.send("", { ...options, attachments: [file] });
  assert.equal(client.send("", { ...options, attachments: [file] }), first);
  const other = client.send("", { ...options, attachments: ["known"] });
  assert.notEqual(other, first);
  await Promise.all([first.whole, other.whole]);
  assert.equal(fake.of(START).length, 2);
});

test("a picture that the model made is an event, once, though its log is read again", async (t) => {
  const { fake, client } = await setUp(t);
  fake.log = LOG;
  const cut = (response, frames) => cutAt(frames.indexOf("data: {\"done\""))(response, frames);
  fake.faults[START] = [cut];
  fake.faults["GET /api/runs/<run>/events"] = [error(410, "log_reset")];
  const { events, error: failure } = await eventsOf(client.send("Draw"));
  assert.equal(failure, null);
  assert.deepEqual(events.filter(({ type }) => type === "file"), [{ type: "file", file: MADE, seq: 2 }]);
  assert.equal(fake.of("GET /api/runs/<run>/events").length, 2);
});

test("blocks have files, in their place", () => {
  const parts = [{ type: "text", text: "a" }, MADE, { type: "text", text: "b" }, { type: "file", attachment_id: "f" }];
  const blocks = blocksOf({ content: "ab", status: "completed", parts });
  assert.deepEqual(blocks, [{ text: "a" }, { file: MADE }, { text: "b" }, { file: parts[3] }]);
  assert.deepEqual(filesOf(blocks), [MADE, parts[3]]);
  assert.deepEqual(withFile(blocks, MADE), blocks);
  assert.deepEqual(withFile([{ text: "a" }], MADE), [{ text: "a" }, { file: MADE }]);
  const record = { id: "m1", name: "cat.png", media_type: "image/png", bytes: 9, created_at: "now" };
  assert.deepEqual(partOf(record), MADE);
});

async function setUpHook(t) {
  const { fake, client } = await setUp(t);
  return { fake, useChat: createUseChat(React, client) };
}

test("the hook sends files, and keeps them and those of the model in its messages", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  fake.log = LOG;
  const mounted = await mount(t, useChat);
  const attachments = [photo("12345", "p.png"), { id: "known", name: "a.pdf", media_type: "application/pdf" }];
  const sent = mounted.chat.sendStreamingMessage("Look", undefined, undefined, { attachments });
  await mounted.wait((chat) => chat.messages[0]?.files.length === 2);
  await sent;
  const { messages: [mine, reply] } = await mounted.wait((chat) => !chat.isLoading && chat.messages.length === 2);
  assert.deepEqual(fake.of(START)[0].json.attachments, ["a1", "known"]);
  assert.equal(mine.content, "Look");
  assert.deepEqual(mine.files.map(({ type, attachment_id: id, name }) => [type, id, name]), [["image", "a1", "p.png"], ["file", "known", "a.pdf"]]);
  assert.deepEqual([reply.content, reply.files], ["Here: ", [MADE]]);
  assert.deepEqual(reply.blocks, [{ text: "Here: " }, { file: MADE }]);
});

test("the hook shows the files of messages that it reads", async (t) => {
  const { fake, useChat } = await setUpHook(t);
  const message = { id: "1", role: "user", content: "", parts: [MADE], status: "completed", run_id: RUN, timestamp: "now" };
  fake.faults["GET /api/chat/sessions/<id>/messages"] = [(response) => answerJson(response, 200, { messages: [message] })];
  const mounted = await mount(t, useChat, "s1");
  const { messages } = await mounted.wait((chat) => chat.messages.length === 1);
  assert.deepEqual(messages[0].files, [MADE]);
});

test("in a page the upload tells its progress, and ends as one without it", async (t) => {
  const sent = [];
  class Request {
    upload = {};
    status = 0;
    open(...to) { this.to = to; }
    setRequestHeader(name, value) { sent.push([name, value]); }
    getAllResponseHeaders() { return "content-type: application/json\r\n"; }
    abort() { this.onloadend(); }
    async send(body) { // as a browser does it, with fetch in the place of its own
      for (const loaded of [2, 5]) this.upload.onprogress({ loaded });
      const [method, url] = this.to;
      const answer = await realFetch(url, { method, body, headers: Object.fromEntries(sent) });
      [this.status, this.response] = [answer.status, await answer.blob()];
      this.onloadend();
    }
  }
  const realFetch = globalThis.fetch;
  globalThis.XMLHttpRequest = Request;
  t.after(() => delete globalThis.XMLHttpRequest);
  const { fake, client } = await setUp(t);
  const seen = [];
  const attachment = await client.upload(photo(), { onProgress: (progress) => seen.push(progress) });
  assert.deepEqual([attachment.id, seen], ["a1", [{ loaded: 2, total: 5 }, { loaded: 5, total: 5 }]]);
  fake.faults[UPLOAD] = [error(413, "too_large")];
  await assert.rejects(client.upload(photo()), { code: "too_large", status: 413 });
});
