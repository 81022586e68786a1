// One reply: what its reader sees, and how it takes what its delivery brings. Transports, cuts and
// tries are the business of delivery.js.

import { errorFromJson } from "./errors.js";
import { EventList } from "./event-list.js";
import { TandemError } from "./tandem-error.js";

/** @import { FilePart, Receipt } from "./records.js" */
/** @import { ErrorDetails } from "./tandem-error.js" */
/** @import { Reply, ReplyEvent, StatusEvent, Whole } from "./types.js" */

/**
 * @typedef {object} Place
 * @property {string | null} [runId]
 * @property {string | null} [sessionId]
 * @property {number} [after]
 */

/** @implements {Reply} */
export class IncomingReply {
  /** @type {string | null} */
  runId;
  /** @type {string | null} */
  sessionId;
  /** @type {Promise<Whole>} */
  whole;
  ended = false;
  stopWanted = false;
  text = "";
  seq; // of the last event taken
  /** @type {EventList<ReplyEvent>} */
  #events = new EventList();
  #begun = false; // there was a "start" event
  #skip = 0; // how many characters a replay from the start brings again
  /** @type {Set<string>} */
  #files = new Set(); // so for pictures: the ids of those that came
  /** @type {(whole: Whole) => void} */
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  #reject = () => {};
  /** @type {(runId: string | null) => void} */
  #tellRun = () => {};
  /** @type {Promise<string | null>} */
  #known;
  /** @type {Promise<Receipt> | null} */
  #stopping = null;
  #stopper;
  #leaving = new AbortController();

  /**
   * @param {Place} place
   * @param {() => Promise<Receipt>} stopper What stops the run.
   */
  constructor({ runId = null, sessionId = null, after = 0 }, stopper) {
    this.sessionId = sessionId;
    this.seq = after;
    this.#stopper = stopper;
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.whole.catch(() => {}); // a reader of the events gets the error from them
    this.#known = new Promise((resolve) => { this.#tellRun = resolve; });
    this.runId = runId;
    if (runId) this.#tellRun(runId);
  }

  [Symbol.asyncIterator]() {
    return this.#events[Symbol.asyncIterator]();
  }

  stop() {
    this.stopWanted = true;
    this.#stopping ??= this.#stopper();
    this.#stopping.catch(() => {});
    return this.#stopping;
  }

  leave() {
    if (this.ended) return;
    const error = new TandemError("left", undefined, this.#details());
    this.#finish();
    this.#leaving.abort(error);
    this.#events.end();
    this.#reject(error);
  }

  // What follows is for the client and the delivery.

  /** Aborted when this reply is left. */
  get left() {
    return this.#leaving.signal;
  }

  get begun() {
    return this.text !== "" || this.#files.size > 0 || this.ended;
  }

  /** Wait for the id of the run; null if the reply has ended without one. */
  known() {
    return this.#known;
  }

  /**
   * @param {string | null | undefined} runId
   * @param {string | null | undefined} sessionId
   */
  begin(runId, sessionId) {
    if (sessionId) this.sessionId = sessionId;
    if (!runId || this.#begun) return;
    this.#begun = true;
    this.runId = runId;
    this.#tellRun(runId);
    this.#events.push({ type: "start", runId, sessionId: this.sessionId });
  }

  /**
   * Take one native event; true if it brought something new.
   * @param {any} payload
   */
  take(payload) {
    if (this.ended || typeof payload !== "object" || payload === null) return false;
    if (payload.seq !== undefined) {
      if (payload.seq <= this.seq) return false; // seen before the cut
      this.seq = payload.seq;
    }
    this.begin(payload.run_id, payload.session_id);
    if (payload.token !== undefined) this.#addText(payload.token, payload.seq ?? null);
    else if (payload.done) this.complete(payload, payload.full_response);
    else if (payload.tool) this.note({ type: "tool", ...payload.tool, seq: payload.seq });
    else if (payload.file) this.#addFile(payload.file, payload.seq);
    else if (payload.requires_action) this.complete(payload);
    else if (payload.error !== undefined) this.fail(errorFromJson(payload, this.#details()));
    else if (payload.status) this.note(statusOf(payload));
    return true;
  }

  /** @param {ReplyEvent} event */
  note(event) {
    this.#events.push(event);
  }

  /** The log begins again as one piece: take it from its start, and show only what is new. */
  restart() {
    this.seq = 0;
    this.#skip = this.text.length;
  }

  /**
   * Take an answer that came whole.
   * @param {any} answer
   */
  takeWhole(answer) {
    this.begin(answer.run_id, answer.session_id);
    const rest = answer.response.slice(this.text.length);
    if (rest !== "") this.#addText(rest, null);
    this.complete(answer, answer.response);
  }

  /**
   * @param {any} figures An event, an answer or a record: what says how it ended.
   * @param {string} [text]
   */
  complete(figures, text = this.text) {
    // Both are known by now.
    const { runId, sessionId } = /** @type {{ runId: string, sessionId: string }} */ (this);
    const end = { text, runId, sessionId, ...figuresOf(figures) };
    this.#finish();
    this.note({ type: "end", ...end });
    this.#events.end();
    this.#resolve(end);
  }

  /** @param {unknown} error */
  fail(error) {
    if (error instanceof TandemError) {
      Object.assign(error, this.#details(error.runId, error.sessionId));
    }
    this.#finish();
    this.#events.end(error);
    this.#reject(error);
  }

  /**
   * @param {string} text
   * @param {number | null} seq
   */
  #addText(text, seq) {
    const fresh = text.slice(this.#skip);
    this.#skip = Math.max(0, this.#skip - text.length);
    if (fresh === "") return;
    this.text += fresh;
    this.note({ type: "text", text: fresh, seq });
  }

  /**
   * @param {Omit<FilePart, "type"> & { attachment_id: string }} made
   * @param {number} seq
   */
  #addFile(made, seq) {
    if (this.#files.has(made.attachment_id)) return;
    this.#files.add(made.attachment_id);
    this.note({ type: "file", file: { type: "image", ...made }, seq });
  }

  #finish() {
    this.ended = true;
    this.#tellRun(this.runId);
  }

  /**
   * What an error says of this reply; the ids are those of the error itself, if it has any.
   * @param {string | null} [runId]
   * @param {string | null} [sessionId]
   * @returns {ErrorDetails}
   */
  #details(runId, sessionId) {
    return {
      runId: this.runId ?? runId ?? null,
      sessionId: this.sessionId ?? sessionId ?? null,
      text: this.text,
    };
  }
}

/**
 * @param {any} payload
 * @returns {StatusEvent}
 */
function statusOf(payload) {
  /** @type {StatusEvent} */
  const event = { type: "status", status: payload.status, ageS: payload.age_s ?? null };
  return payload.reasoning === undefined ? event : { ...event, reasoning: payload.reasoning };
}

/**
 * @param {any} figures
 * @returns {Omit<Whole, "text" | "runId" | "sessionId">}
 */
function figuresOf(figures) {
  const waits = figures.requires_action ?? (figures.pending?.length ? figures.pending : null);
  return {
    finishReason: waits ? "requires_action" : figures.finish_reason,
    ...(waits ? { requiresAction: waits } : {}),
    usage: figures.usage ?? null,
    cost: figures.cost ?? null,
    provider: figures.provider ?? null,
    model: figures.model ?? null,
    duration: figures.duration ?? null,
    ttftMs: figures.ttft_ms ?? null,
    leftOut: figures.left_out ?? [],
    seq: figures.seq ?? null,
  };
}
