// Tandem's client: sends messages and follows replies over SSE or Socket.IO, through cuts, time-outs
// and reloads. No dependencies, no build step. docs/client.md says how to use it.

import { Delivery } from "./client/delivery.js";
import { kindOf, TandemError } from "./client/errors.js";
import { Http, path, query } from "./client/http.js";
import { backoffMs, pause } from "./client/pause.js";
import { Reply } from "./client/reply.js";
import { sessionRoutes } from "./client/sessions.js";
import { SessionWatch } from "./client/session-watch.js";
import { SocketTransport } from "./client/transports/socket.js";
import { SseTransport } from "./client/transports/sse.js";
import { Watchdog } from "./client/watchdog.js";

export { TandemError } from "./client/errors.js";
export { createSseParser } from "./client/transports/sse-parser.js";

const SETTINGS = {
  transport: "sse",
  enableStreaming: true,
  streamingTimeout: 60_000,
  chunkTimeout: 10_000, // two of the server's heartbeats (HEARTBEAT_S)
  wholeTimeout: 630_000, // the server's own limit of a run (RUN_TIMEOUT_S), and some
  fallbackOnError: true,
};
const RETRY = { firstMs: 500, mostMs: 10_000, times: 10 };
const STOP_TRIES = 5;
const STOP_MS = 15_000; // the server answers within 10 s, stored or not
const FIELDS = {
  provider: "provider",
  model: "model",
  system: "system",
  temperature: "temperature",
  maxTokens: "max_tokens",
  reasoning: "reasoning",
  edit: "edit",
  regenerate: "regenerate",
};

export class TandemClient {
  /** A conversation each: thin names for the routes; they answer what the server answers. */
  sessions;
  #http;
  #settings;
  #ways;
  #replies = new Map(); // unanswered ones, each by all its keys
  #open = new Set();

  constructor(options = {}) {
    this.#http = new Http(options);
    this.#settings = settingsOf({ ...SETTINGS, retry: RETRY }, options);
    const sse = new SseTransport(this.#http);
    const hasSocket = Boolean(options.io) || globalThis.document !== undefined;
    this.#ways = { sse, ...(hasSocket ? { socket: new SocketTransport(this.#http, options.io) } : {}) };
    this.sessions = sessionRoutes(this.#http);
  }

  /**
   * Send a message; return its Reply. The same text to the same session while the first is
   * unanswered is the same Reply: a double click is one message.
   */
  send(message, options = {}) {
    const asked = options.sessionId ?? null;
    const { idempotencyKey, edit, regenerate } = options;
    const keyFor = (id) => JSON.stringify([id, idempotencyKey, message, edit, regenerate]);
    const under = this.#replies.get(keyFor(asked));
    if (under) return under;
    // Named by us, so that a whole answer, whose run is not known before its end, can be stopped.
    const sessionId = asked ?? randomId();
    const said = regenerate ? {} : { message };
    const body = { ...said, session_id: sessionId, ...fieldsOf(options) };
    const request = { body, key: idempotencyKey ?? randomId() };
    return this.#deliver({ sessionId }, options, request, [keyFor(asked), keyFor(sessionId)]);
  }

  /** Follow a run that is under way, or was: return its Reply, from entry `after` on. */
  follow(runId, options = {}) {
    const place = { runId, sessionId: options.sessionId, after: options.after };
    return this.#deliver(place, { ...options, enableStreaming: true }, null, []);
  }

  /**
   * Carry on a reply that did not complete: return the Reply of what is new. It starts over SSE,
   * which is where the route is, and may be resumed over either transport.
   */
  continue(runId, options = {}) {
    const url = path`/api/runs/${runId}/continue`;
    const request = { url, body: options.reasoning ? { reasoning: true } : {} };
    const place = { sessionId: options.sessionId };
    return this.#deliver(place, { ...options, enableStreaming: true, transport: "sse" }, request, []);
  }

  /** Follow a session: which runs start and end. Iterate over it; `close` it. */
  watchSession(sessionId, options = {}) {
    return new SessionWatch(this.#http, sessionId, settingsOf(this.#settings, options));
  }

  /** Return the Reply that this client is waiting for in a session, if there is one. */
  replyOf(sessionId) {
    return [...this.#open].find((reply) => reply.sessionId === sessionId);
  }

  /** Return the record of a run. */
  run(runId) {
    return this.#http.json("GET", path`/api/runs/${runId}`);
  }

  /** Return which providers there are, and what those that are not ready lack. */
  models() {
    return this.#http.json("GET", "/api/models");
  }

  /** Return what was used: in a session, or in the last `days`. */
  usage({ sessionId, days } = {}) {
    const of = sessionId === undefined ? { days } : { session_id: sessionId };
    return this.#http.json("GET", `/api/usage${query(of)}`);
  }

  /** Stop a run, whoever started it; return the receipt. */
  stop(runId) {
    return this.#askToStop(runId, false);
  }

  /** Leave every reply, and disconnect. Runs go on. */
  close() {
    for (const reply of this.#open) reply.leave();
    this.#ways.socket?.close();
  }

  #deliver(place, options, request, keys) {
    const settings = settingsOf(this.#settings, options);
    if (!this.#ways[settings.transport]) {
      throw new TypeError(`transport ${settings.transport}: not known, or needs the option io`);
    }
    const reply = new Reply(place, () => this.#stop(reply, delivery));
    const reasoning = Boolean(options.reasoning);
    const delivery = new Delivery(reply, { ways: this.#ways, http: this.#http, settings, request, reasoning });
    this.#keep(reply, keys);
    if (!watchSignal(options.signal, reply)) return reply;
    delivery.run();
    return reply;
  }

  #keep(reply, keys) {
    this.#open.add(reply);
    for (const key of keys) this.#replies.set(key, reply);
    const forget = () => {
      this.#open.delete(reply);
      for (const key of keys) this.#replies.delete(key);
    };
    reply.whole.then(forget, forget);
  }

  async #stop(reply, delivery) {
    const runId = delivery.way === "whole" ? await this.#findRun(reply) : await reply.known();
    if (!runId) throw await reply.whole.catch((error) => error);
    for (let tries = 0; ; tries += 1) {
      try {
        const socket = delivery.way === "socket" && this.#ways.socket.connected && tries === 0;
        return await this.#askToStop(runId, socket);
      } catch (error) {
        if (tries >= STOP_TRIES || !["connection", "busy"].includes(kindOf(error))) throw error;
        await pause(backoffMs(tries, this.#settings.retry) + (error.retryAfterS ?? 0) * 1000);
      }
    }
  }

  async #askToStop(runId, overSocket) {
    const watchdog = new Watchdog();
    watchdog.limit("chunk_timeout", STOP_MS);
    const { signal } = watchdog;
    try {
      if (overSocket) return await this.#ways.socket.stop(runId, signal);
      return await this.#http.json("POST", path`/api/runs/${runId}/stop`, { signal });
    } finally {
      watchdog.close();
    }
  }

  /** Look for the run of a whole answer in its session till one of both is there. */
  async #findRun(reply) {
    for (let tries = 0; !reply.ended; tries += 1) {
      const found = await this.sessions.get(reply.sessionId).catch(() => null);
      if (found?.active_run) return found.active_run.run_id;
      await Promise.race([pause(backoffMs(tries, this.#settings.retry)), reply.known()]);
    }
    return reply.runId;
  }
}

/** Have the signal stop the reply; false if it is aborted already, and nothing is to be sent. */
function watchSignal(signal, reply) {
  if (!signal) return true;
  if (signal.aborted) {
    reply.fail(new TandemError("aborted", undefined, { retryable: false }));
    return false;
  }
  const stop = () => reply.stop();
  signal.addEventListener("abort", stop, { once: true });
  const off = () => signal.removeEventListener("abort", stop);
  reply.whole.then(off, off);
  return true;
}

function settingsOf(base, options) {
  const given = Object.keys(SETTINGS).filter((name) => options[name] !== undefined);
  const own = Object.fromEntries(given.map((name) => [name, options[name]]));
  return { ...base, ...own, retry: { ...base.retry, ...options.retry } };
}

function fieldsOf(options) {
  const given = Object.entries(FIELDS).filter(([name]) => options[name] != null);
  return Object.fromEntries(given.map(([name, field]) => [field, options[name]]));
}

/** Return an id that nobody can guess; crypto.randomUUID is there on https and localhost only. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
