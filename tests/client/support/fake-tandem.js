// A real HTTP server on a real port that has one reply to give, as Tandem gives it, and fails as it
// is told: `faults["POST /api/chat/stream"] = [hang, cutAt(40)]` are for the next two of those.

import { once } from "node:events";
import http from "node:http";

export const RUN = "0123456789abcdef0123456789abcdef";

export class FakeTandem {
  pieces = ["Hello", " é€😀", " there\u2028", "!"];
  end = { done: true, finish_reason: "stop", usage: { input_tokens: 1, output_tokens: 4, source: "estimated" } };
  log = null; // payloads, in the place of pieces and their end
  faults = {};
  requests = []; // { route, url, headers, json, bytes, closed: a promise }
  uploads = new Map(); // by key: what was answered
  sessionId = "s1";
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

  routes() {
    return this.requests.map((request) => request.route);
  }

  of(route) {
    return this.requests.filter((request) => request.route === route);
  }

  /** Wait till there have been `count` requests for a route; return the last of them. */
  async waitFor(route, count = 1) {
    while (this.of(route).length < count) await new Promise((resolve) => this.#arrived.push(resolve));
    return this.of(route)[count - 1];
  }

  /** The payloads beyond `after`. */
  entries(after = 0) {
    if (this.log) return numbered(this.log).slice(after);
    const texts = this.pieces.map((token, at) => ({ token, count: at + 1 }));
    const done = { ...this.end, session_id: this.sessionId };
    if (done.done) done.full_response = this.pieces.join("");
    return numbered([...texts, done]).slice(after);
  }

  record() {
    return {
      run_id: RUN,
      session_id: this.sessionId,
      status: "completed",
      seq: this.pieces.length + 1,
      finish_reason: "stop",
      error: null,
      usage: this.end.usage,
    };
  }

  async #answer(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const isJson = request.headers["content-type"] === "application/json";
    const body = isJson ? bytes.toString() : "";
    const { pathname, searchParams } = new URL(request.url, this.url);
    const route = `${request.method} ${pathname.replace(RUN, "<run>").replace(/(sessions|attachments)\/[^/]+/, "$1/<id>")}`;
    const json = body ? JSON.parse(body) : undefined;
    const closed = once(response, "close");
    this.requests.push({ route, url: request.url, headers: request.headers, json, bytes, closed, response });
    for (const resolve of this.#arrived.splice(0)) resolve();
    const proceed = () => {
      if (route === "POST /api/attachments") this.#take(request.headers, bytes, response);
      else this.#proceed(route, Number(searchParams.get("after") ?? 0), response);
    };
    const fault = this.faults[route]?.shift();
    if (fault) fault(response, this.frames(Number(searchParams.get("after") ?? 0)), proceed);
    else proceed();
  }

  #take(headers, bytes, response) {
    const key = headers["idempotency-key"];
    const id = `a${this.uploads.size + 1}`;
    const name = decodeURIComponent(headers["x-file-name"] ?? "");
    const record = { id, name, media_type: headers["content-type"], bytes: bytes.length, sha256: "0", created_at: "now" };
    if (!this.uploads.has(key)) this.uploads.set(key, record);
    answerJson(response, 201, this.uploads.get(key));
  }

  frames(after = 0) {
    const events = this.entries(after).map((entry) => `id: ${RUN}:${entry.seq}\ndata: ${JSON.stringify(entry)}\n\n`);
    return Buffer.from(`: open\n\n${events.join("")}`);
  }

  #proceed(route, after, response) {
    if (route === "POST /api/chat/stream" || route === "POST /api/runs/<run>/continue" || route === "GET /api/runs/<run>/events") {
      if (after >= this.entries().length) {
        response.writeHead(204).end();
        return;
      }
      openStream(response);
      response.end(this.frames(after));
    } else if (route === "POST /api/chat") {
      const rest = { session_id: this.sessionId, run_id: RUN, finish_reason: "stop", usage: this.end.usage };
      answerJson(response, 200, { response: this.pieces.join(""), ...rest });
    } else if (route === "GET /api/runs/<run>") answerJson(response, 200, this.record());
    else if (route === "POST /api/runs/<run>/stop") {
      answerJson(response, 200, { run_id: RUN, session_id: this.sessionId, status: "stopped", seq: 2 });
    } else answerJson(response, 404, { error: { code: "not_found", message: "There is no such thing." } });
  }
}

const numbered = (entries) => entries.map((entry, at) => ({ ...entry, run_id: RUN, seq: at + 1 }));

export function openStream(response) {
  response.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Run-Id": RUN,
    "X-Session-Id": "s1",
  });
  response.flushHeaders();
}

export function answerJson(response, status, value, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

// Faults.

/** Send `count` bytes of the stream, then cut the connection; of none, not even the head. */
export const cutAt = (count) => (response, frames) => {
  if (count === null) {
    response.socket.destroy();
    return;
  }
  openStream(response);
  response.write(frames.subarray(0, count), () => response.socket.destroy());
  if (count === 0) response.socket.destroy();
};

export const hang = () => {};

/** Send `count` bytes of the stream, then nothing. */
export const hangAt = (count) => (response, frames) => {
  openStream(response);
  response.write(frames.subarray(0, count));
};

/** Say nothing but a heartbeat, for as long as anybody listens. */
export const onlyPings = (response) => {
  openStream(response);
  pings(response, Infinity);
};

/** Send that many heartbeats, then go on. */
export function pings(response, count, then) {
  let sent = 0;
  const timer = setInterval(() => {
    if ((sent += 1) > count) {
      clearInterval(timer);
      then();
    } else response.write(": ping\n\n");
  }, 5);
  response.on("close", () => clearInterval(timer));
}

export const error = (status, code, rest = {}, headers = {}) => (response) => {
  const message = `It is ${code}.`;
  answerJson(response, status, { error: { code, message, error_id: "ERR_1", retryable: false, ...rest } }, headers);
};

export const text = (status, body, headers = {}) => (response) => {
  response.writeHead(status, { "Content-Type": "text/html", ...headers });
  response.end(body);
};

/** Send these bytes as the stream. */
export const raw = (body) => (response) => {
  openStream(response);
  response.end(body);
};
