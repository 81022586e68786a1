// Tandem's client: sends messages and follows replies over SSE or Socket.IO, through cuts,
// time-outs and reloads. No dependencies, no build step; its parts are in client/. docs/client.md
// says how to use it.

import { sessionIdOf } from "./client/conversation-id.js";
import { Delivery } from "./client/delivery.js";
import { feedOf } from "./client/feeds.js";
import { Http, path, query } from "./client/http.js";
import { NewsFollower } from "./client/news-watch.js";
import { randomId } from "./client/random-id.js";
import { IncomingReply } from "./client/reply.js";
import { SessionFollower } from "./client/session-watch.js";
import { sessionRoutes } from "./client/sessions.js";
import { SharedStream } from "./client/shared/shared-stream.js";
import { DEFAULTS, fieldsOf, settingsOf } from "./client/settings.js";
import { Stopper } from "./client/stop.js";
import { TandemError } from "./client/tandem-error.js";
import { toolRoutes } from "./client/tools.js";
import { SharedTransport } from "./client/transports/shared.js";
import { SocketTransport } from "./client/transports/socket.js";
import { SseTransport } from "./client/transports/sse.js";

export {
  blocksOf,
  callsOf,
  textOf,
  withActions,
  withEvent,
  withText,
} from "./client/blocks.js";
export { randomId } from "./client/random-id.js";
export { TandemError } from "./client/tandem-error.js";
export { createSseParser } from "./client/transports/sse-parser.js";

/** @import { Place } from "./client/reply.js" */
/** @import { StreamRequest } from "./client/transports/frames.js" */

/**
 * @typedef {import("./client/types.js").TransportName} TransportName
 * @typedef {import("./client/types.js").Retry} Retry
 * @typedef {import("./client/types.js").DeliveryOptions} DeliveryOptions
 * @typedef {import("./client/types.js").Io} Io
 * @typedef {import("./client/types.js").ClientOptions} ClientOptions
 * @typedef {import("./client/types.js").SendOptions} SendOptions
 * @typedef {import("./client/types.js").FollowOptions} FollowOptions
 * @typedef {import("./client/types.js").ContinueOptions} ContinueOptions
 * @typedef {import("./client/types.js").WatchOptions} WatchOptions
 * @typedef {import("./client/types.js").Reply} Reply
 * @typedef {import("./client/types.js").Whole} Whole
 * @typedef {import("./client/types.js").ReplyEvent} ReplyEvent
 * @typedef {import("./client/types.js").StartEvent} StartEvent
 * @typedef {import("./client/types.js").TextEvent} TextEvent
 * @typedef {import("./client/types.js").StatusEvent} StatusEvent
 * @typedef {import("./client/types.js").ResumeEvent} ResumeEvent
 * @typedef {import("./client/types.js").RetryEvent} RetryEvent
 * @typedef {import("./client/types.js").WarningEvent} WarningEvent
 * @typedef {import("./client/types.js").EndEvent} EndEvent
 * @typedef {import("./client/news.js").SessionWatch} SessionWatch
 * @typedef {import("./client/news.js").SessionEvent} SessionEvent
 * @typedef {import("./client/news.js").NewsWatch} NewsWatch
 * @typedef {import("./client/news.js").NewsEvent} NewsEvent
 * @typedef {import("./client/types.js").ConversationId} ConversationId
 * @typedef {import("./client/records.js").FinishReason} FinishReason
 * @typedef {import("./client/records.js").Usage} Usage
 * @typedef {import("./client/records.js").Cost} Cost
 * @typedef {import("./client/records.js").Receipt} Receipt
 * @typedef {import("./client/records.js").RunRecord} RunRecord
 * @typedef {import("./client/records.js").Session} Session
 * @typedef {import("./client/records.js").Message} Message
 * @typedef {import("./client/records.js").ListOptions} ListOptions
 * @typedef {import("./client/records.js").Exported} Exported
 * @typedef {import("./client/records.js").Models} Models
 * @typedef {import("./client/records.js").Used} Used
 * @typedef {import("./client/records.js").UsageReport} UsageReport
 * @typedef {import("./client/records.js").Sessions} Sessions
 * @typedef {import("./client/records.js").Tools} Tools
 * @typedef {import("./client/tandem-error.js").ErrorDetails} ErrorDetails
 * @typedef {import("./client/transports/sse-parser.js").SseEvent} SseEvent
 * @typedef {import("./client/transports/sse-parser.js").SseHandlers} SseHandlers
 * @typedef {import("./client/transports/sse-parser.js").SseParser} SseParser
 */

export class TandemClient {
  /**
   * The routes of sessions; they return what the server answers.
   * @readonly
   * @type {Sessions}
   */
  sessions;
  /**
   * The server's tools, and answers to what replies wait for.
   * @readonly
   * @type {Tools}
   */
  tools;
  #http;
  #settings;
  #transports;
  #stopper;
  /** @type {SharedStream | null} */
  #shared = null;
  /** @type {Map<string, IncomingReply>} */
  #replies = new Map(); // those that have not ended, each by all of its keys
  /** @type {Set<IncomingReply>} */
  #open = new Set();

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    this.#http = new Http(options);
    this.#settings = settingsOf(DEFAULTS, options);
    const hasSocket = Boolean(options.io) || globalThis.document !== undefined;
    const socket = hasSocket ? new SocketTransport(this.#http, options.io) : undefined;
    const own = new SseTransport(this.#http);
    if (options.share) this.#shared = new SharedStream(this.#http);
    const sse = this.#shared ? new SharedTransport(this.#http, this.#shared, own) : own;
    this.#transports = { sse, socket };
    this.sessions = sessionRoutes(this.#http);
    this.tools = toolRoutes(this.#http);
    this.#stopper = new Stopper(this.#http, this.sessions, this.#settings.retry, socket);
  }

  /**
   * Send a message; return its Reply. The same text to the same session while the first is
   * unanswered is the same Reply: a double click is one message.
   * @param {string} message
   * @param {SendOptions} [options]
   * @returns {Reply}
   */
  send(message, options = {}) {
    const asked = options.sessionId ?? null;
    const { idempotencyKey, edit, regenerate, parentId } = options;
    const keyFor = (/** @type {string | null} */ id) => (
      JSON.stringify([id, idempotencyKey, message, edit, regenerate, parentId])
    );
    const unanswered = this.#replies.get(keyFor(asked));
    if (unanswered) return unanswered;
    // The session is named here, so that a whole answer can be stopped: its run, unknown until the
    // end, is looked up in it.
    const sessionId = asked ?? randomId();
    const text = regenerate ? {} : { message };
    const body = { ...text, session_id: sessionId, ...fieldsOf(options) };
    const request = { body, key: idempotencyKey ?? randomId() };
    return this.#deliver({ sessionId }, options, request, [keyFor(asked), keyFor(sessionId)]);
  }

  /**
   * Follow a run that is under way, or was: return its Reply, from entry `after` on.
   * @param {string} runId
   * @param {FollowOptions} [options]
   * @returns {Reply}
   */
  follow(runId, options = {}) {
    const place = { runId, sessionId: options.sessionId, after: options.after };
    return this.#deliver(place, { ...options, enableStreaming: true }, null, []);
  }

  /**
   * Carry on a reply that did not complete: return the Reply of what is new. It starts over SSE,
   * since Socket.IO has no event for it, and may be resumed over either transport.
   * @param {string} runId
   * @param {ContinueOptions} [options]
   * @returns {Reply}
   */
  continue(runId, options = {}) {
    const url = path`/api/runs/${runId}/continue`;
    const request = { url, body: options.reasoning ? { reasoning: true } : {} };
    const place = { sessionId: options.sessionId };
    const streamed = { ...options, enableStreaming: true, transport: /** @type {const} */ ("sse") };
    return this.#deliver(place, streamed, request, []);
  }

  /**
   * Follow a session: which runs start and end. Iterate over it; `close` it.
   * @param {string} sessionId
   * @param {WatchOptions} [options]
   * @returns {SessionWatch}
   */
  watchSession(sessionId, options = {}) {
    const feed = feedOf(this.#http, this.#shared, sessionId);
    return new SessionFollower(this.#http, feed, sessionId, settingsOf(this.#settings, options));
  }

  /**
   * Follow all sessions: which runs start and end, what is deleted. Iterate over it; `close` it.
   * @param {WatchOptions} [options]
   * @returns {NewsWatch}
   */
  watchAll(options = {}) {
    return new NewsFollower(feedOf(this.#http, this.#shared), settingsOf(this.#settings, options));
  }

  /**
   * Return the Reply that is under way in a session, if this client started or follows it.
   * @param {ConversationId} id
   * @returns {Reply | undefined}
   */
  replyOf(id) {
    return [...this.#open].find((reply) => reply.sessionId === sessionIdOf(id));
  }

  /**
   * Return the record of a run.
   * @param {string} runId
   * @returns {Promise<RunRecord>}
   */
  run(runId) {
    return this.#http.json("GET", path`/api/runs/${runId}`);
  }

  /**
   * Return the providers, and which setting each one that is not ready lacks.
   * @returns {Promise<Models>}
   */
  models() {
    return this.#http.json("GET", "/api/models");
  }

  /**
   * Return the usage: of a session, or of the last `days`.
   * @param {{ sessionId?: string, days?: number }} [options]
   * @returns {Promise<UsageReport>}
   */
  usage({ sessionId, days } = {}) {
    const of = sessionId === undefined ? { days } : { session_id: sessionId };
    return this.#http.json("GET", `/api/usage${query(of)}`);
  }

  /**
   * Stop any run of this user; return the receipt.
   * @param {string} runId
   * @returns {Promise<Receipt>}
   */
  stop(runId) {
    return this.#stopper.stop(runId);
  }

  /**
   * Leave every reply, and disconnect. Runs go on.
   * @returns {void}
   */
  close() {
    for (const reply of this.#open) reply.leave();
    this.#transports.socket?.close();
    this.#shared?.close();
  }

  /**
   * @param {Place} place
   * @param {SendOptions} options
   * @param {StreamRequest | null} request
   * @param {string[]} keys
   */
  #deliver(place, options, request, keys) {
    const settings = settingsOf(this.#settings, options);
    if (!this.#transports[settings.transport]) {
      throw new TypeError(`transport ${settings.transport}: not known, or needs the option io`);
    }
    /** @type {IncomingReply} */
    const reply = new IncomingReply(place, () => this.#stopper.stopReply(reply, delivery));
    const reasoning = Boolean(options.reasoning);
    const parts = { transports: this.#transports, http: this.#http, settings, request, reasoning };
    const delivery = new Delivery(reply, parts);
    this.#keep(reply, keys);
    if (!watchSignal(options.signal, reply)) return reply;
    delivery.run();
    return reply;
  }

  /**
   * @param {IncomingReply} reply
   * @param {string[]} keys
   */
  #keep(reply, keys) {
    this.#open.add(reply);
    for (const key of keys) this.#replies.set(key, reply);
    const forget = () => {
      this.#open.delete(reply);
      for (const key of keys) this.#replies.delete(key);
    };
    reply.whole.then(forget, forget);
  }
}

/**
 * Have the signal stop the reply. Return false if it is aborted already, and nothing must be sent.
 * @param {AbortSignal | undefined} signal
 * @param {IncomingReply} reply
 */
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
