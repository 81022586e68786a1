// Tandem's client: sends messages and follows replies over SSE or Socket.IO, through cuts,
// time-outs and reloads. No dependencies, no build step; its parts are in client/. docs/client.md
// says how to use it.

import { Attachments, marksOf } from "./client/attachments.js";
import { sessionIdOf } from "./client/conversation-id.js";
import { feedOf } from "./client/feeds.js";
import { Http, path, query } from "./client/http.js";
import { NewsFollower } from "./client/news-watch.js";
import { randomId } from "./client/random-id.js";
import { Replies } from "./client/replies.js";
import { SessionFollower } from "./client/session-watch.js";
import { sessionRoutes } from "./client/sessions.js";
import { SharedStream } from "./client/shared/shared-stream.js";
import { DEFAULTS, fieldsOf, settingsOf } from "./client/settings.js";
import { Stopper } from "./client/stop.js";
import { toolRoutes } from "./client/tools.js";
import { SharedTransport } from "./client/transports/shared.js";
import { SocketTransport } from "./client/transports/socket.js";
import { SseTransport } from "./client/transports/sse.js";

export * from "./client/blocks.js";
export { randomId } from "./client/random-id.js";
export { TandemError } from "./client/tandem-error.js";
export { createSseParser } from "./client/transports/sse-parser.js";

/**
 * @typedef {import("./client/types.js").TransportName} TransportName
 * @typedef {import("./client/types.js").Retry} Retry
 * @typedef {import("./client/types.js").DeliveryOptions} DeliveryOptions
 * @typedef {import("./client/types.js").Io} Io
 * @typedef {import("./client/types.js").ClientOptions} ClientOptions
 * @typedef {import("./client/types.js").SendOptions} SendOptions
 * @typedef {import("./client/uploads.js").Attachable} Attachable
 * @typedef {import("./client/uploads.js").UploadOptions} UploadOptions
 * @typedef {import("./client/types.js").FollowOptions} FollowOptions
 * @typedef {import("./client/types.js").ContinueOptions} ContinueOptions
 * @typedef {import("./client/types.js").WatchOptions} WatchOptions
 * @typedef {import("./client/types.js").Reply} Reply
 * @typedef {import("./client/types.js").Whole} Whole
 * @typedef {import("./client/types.js").ReplyEvent} ReplyEvent
 * @typedef {import("./client/uploads.js").UploadEvent} UploadEvent
 * @typedef {import("./client/types.js").StartEvent} StartEvent
 * @typedef {import("./client/types.js").TextEvent} TextEvent
 * @typedef {import("./client/uploads.js").FileEvent} FileEvent
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
 * @typedef {import("./client/records.js").Attachment} Attachment
 * @typedef {import("./client/records.js").FilePart} FilePart
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
  #attachments;
  #replies;
  /** @type {SharedStream | null} */
  #shared = null;

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    const http = (this.#http = new Http(options));
    const settings = (this.#settings = settingsOf(DEFAULTS, options));
    const hasSocket = Boolean(options.io) || globalThis.document !== undefined;
    const socket = hasSocket ? new SocketTransport(http, options.io) : undefined;
    const own = new SseTransport(http);
    if (options.share) this.#shared = new SharedStream(http);
    const sse = this.#shared ? new SharedTransport(http, this.#shared, own) : own;
    const transports = (this.#transports = { sse, socket });
    this.sessions = sessionRoutes(http);
    this.tools = toolRoutes(http);
    const stopper = (this.#stopper = new Stopper(http, this.sessions, settings.retry, socket));
    const attachments = (this.#attachments = new Attachments(http, settings.retry));
    this.#replies = new Replies({ http, settings, transports, stopper, attachments });
  }

  /**
   * Send a message; return its Reply. The same text to the same session while the first is
   * unanswered is the same Reply: a double click is one message. Attachments are uploaded first.
   * @param {string} message
   * @param {SendOptions} [options]
   * @returns {Reply}
   */
  send(message, options = {}) {
    const asked = options.sessionId ?? null;
    const { idempotencyKey, edit, regenerate, parentId, attachments } = options;
    const files = marksOf(attachments);
    const keyFor = (/** @type {string | null} */ id) => (
      JSON.stringify([id, idempotencyKey, message, edit, regenerate, parentId, files])
    );
    const unanswered = this.#replies.get(keyFor(asked));
    if (unanswered) return unanswered;
    // The session is named here, so that a whole answer can be stopped: its run, unknown until the
    // end, is looked up in it.
    const sessionId = asked ?? randomId();
    const text = regenerate ? {} : { message };
    const body = { ...text, session_id: sessionId, ...fieldsOf(options) };
    const request = { body, key: idempotencyKey ?? randomId() };
    const keys = [keyFor(asked), keyFor(sessionId)];
    return this.#replies.deliver({ sessionId }, options, request, keys);
  }

  /**
   * Follow a run that is under way, or was: return its Reply, from entry `after` on.
   * @param {string} runId
   * @param {FollowOptions} [options]
   * @returns {Reply}
   */
  follow(runId, options = {}) {
    const place = { runId, sessionId: options.sessionId, after: options.after };
    return this.#replies.deliver(place, { ...options, enableStreaming: true }, null, []);
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
    return this.#replies.deliver(place, streamed, request, []);
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
    return [...this.#replies].find((reply) => reply.sessionId === sessionIdOf(id));
  }

  /**
   * Upload a file: its id is one of the `attachments` of a message, within a day. A connection that
   * is cut is tried again, as the same upload.
   * @param {Blob} file
   * @param {UploadOptions} [options]
   * @returns {Promise<Attachment>}
   */
  upload(file, options = {}) {
    return this.#attachments.upload(file, options);
  }

  /**
   * Return the address of an attachment; to read it the access token is needed.
   * @param {string} id
   * @returns {string}
   */
  attachmentUrl(id) {
    return this.#attachments.url(id);
  }

  /**
   * Return the bytes of an attachment; `URL.createObjectURL` shows them.
   * @param {string} id
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Blob>}
   */
  attachment(id, { signal } = {}) {
    return this.#attachments.read(id, signal);
  }

  /**
   * Return whether an attachment is (still) there.
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  hasAttachment(id) {
    return this.#attachments.has(id);
  }

  /**
   * Delete an attachment that no message names; else it throws `attachment_in_use`.
   * @param {string} id
   * @returns {Promise<void>}
   */
  removeAttachment(id) {
    return this.#attachments.remove(id);
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
    for (const reply of this.#replies) reply.leave();
    this.#transports.socket?.close();
    this.#shared?.close();
  }
}
