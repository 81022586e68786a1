// A server with the two routes that sharing needs: runs are started detached, and followed together.
// What is said of a run reaches every connection that follows it, from its cursor on.

import { once } from "node:events";
import http from "node:http";

export class FakeStreams {
  entries = new Map(); // of each run
  starts = []; // the bodies, with the headers
  opened = []; // the connections there were: { cursors, token, response }
  refused = new Map(); // the code by the run
  held = []; // connections that wait for `release`, while `holds`
  holds = false;
  #arrived = [];

  async start() {
    this.#server = http.createServer((request, response) => this.#answer(request, response));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #server;

  /** Wait until a condition holds, looking whenever anything arrives or is closed. */
  async until(holds) {
    while (!holds()) await new Promise((resolve) => this.#arrived.push(resolve));
  }

  /** The connections that are open. */
  get open() {
    return this.opened.filter(({ response }) => !response.closed && !response.destroyed);
  }

  say(runId, token) {
    this.#add(runId, { token });
  }

  end(runId) {
    const text = this.entries.get(runId).map(({ token }) => token).join("");
    this.#add(runId, { done: true, finish_reason: "stop", full_response: text, session_id: `of ${runId}` });
  }

  /** The run waits: what follows it now brings nothing more of it. */
  wait(runId) {
    this.#add(runId, { requires_action: [{ n: 1, call_id: "c1", kind: "approval" }], session_id: `of ${runId}` });
    const seq = this.entries.get(runId).length;
    for (const one of this.open) one.cursors.delete(runId);
    this.news("run_waiting", { run_id: runId, session_id: `of ${runId}`, seq, status: "requires_action" });
  }

  news(type, data) {
    for (const { response } of this.open) response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  cut() {
    for (const { response } of this.open) response.socket.destroy();
  }

  release() {
    this.holds = false;
    for (const follow of this.held.splice(0)) follow();
  }

  #add(runId, entry) {
    const entries = this.entries.get(runId);
    entries.push({ ...entry, run_id: runId, seq: entries.length + 1 });
    for (const one of this.open) if (one.cursors.has(runId)) write(one.response, [entries.at(-1)]);
  }

  #wake() {
    for (const resolve of this.#arrived.splice(0)) resolve();
  }

  async #answer(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname, searchParams } = new URL(request.url, this.url);
    response.on("close", () => this.#wake());
    if (pathname === "/api/chat/events") this.#follow(request, searchParams, response);
    else if (pathname.startsWith("/api/runs/")) this.#alone(pathname.split("/")[3], searchParams, response);
    else if (request.method === "GET") json(response, 200, { active_run: null });
    else this.#begin(JSON.parse(Buffer.concat(chunks)), response);
    this.#wake();
  }

  #begin(body, response) {
    const runId = body.message ?? "more";
    this.starts.push(body);
    if (!this.entries.has(runId)) this.entries.set(runId, []);
    json(response, 202, { run_id: runId, session_id: `of ${runId}` });
  }

  #follow(request, searchParams, response) {
    const named = (searchParams.get("runs") ?? "").split(",").filter(Boolean).map((one) => one.split(":"));
    const cursors = new Map(named.map(([runId, seq]) => [runId, Number(seq)]));
    const bad = [...cursors.keys()].find((runId) => this.refused.has(runId));
    if (bad) {
      json(response, 404, { error: { code: this.refused.get(bad), message: "no", run_id: bad } });
      return;
    }
    const follow = () => {
      this.opened.push({ cursors, token: request.headers.authorization, response });
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(": open\n\n");
      for (const [runId, seq] of cursors) this.#replay(response, runId, seq);
      this.#wake();
    };
    if (this.holds) this.held.push(follow);
    else follow();
  }

  #replay(response, runId, after) {
    const entries = this.entries.get(runId) ?? [];
    if (entries.at(-1)?.done && entries.length <= after) {
      const data = { run_id: runId, session_id: `of ${runId}`, seq: entries.length, status: "completed" };
      response.write(`event: run_ended\ndata: ${JSON.stringify(data)}\n\n`);
    }
    write(response, joined(entries.slice(after)));
  }

  #alone(runId, searchParams, response) {
    if (!searchParams.has("after")) {
      json(response, 200, { run_id: runId, session_id: `of ${runId}`, status: "completed", seq: this.entries.get(runId).length, finish_reason: "stop", error: null });
      return;
    }
    const after = Number(searchParams.get("after"));
    this.opened.push({ cursors: new Map([[runId, after]]), alone: true, response });
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(": open\n\n");
    this.#replay(response, runId, after);
  }
}

/** Join the pieces that a new viewer has not seen, as the server does for those far behind. */
function joined(entries) {
  const pieces = entries.filter((entry) => entry.token !== undefined);
  if (pieces.length < 2) return entries;
  const token = pieces.map((one) => one.token).join("");
  return [{ ...pieces.at(-1), token }, ...entries.slice(pieces.length)];
}

function write(response, entries) {
  for (const entry of entries) response.write(`id: ${entry.run_id}:${entry.seq}\ndata: ${JSON.stringify(entry)}\n\n`);
}

function json(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}
