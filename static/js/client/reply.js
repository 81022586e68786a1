// One reply as its reader sees it: its events, the whole of it, stop. How it gets here, over which
// transport and after how many cuts, is the business of delivery.js.

import { errorFromJson, TandemError } from "./errors.js";
import { EventList } from "./event-list.js";

export class Reply {
  runId;
  sessionId;
  /** The promise of { text, runId, sessionId, finishReason, usage, ... }. */
  whole;
  ended = false;
  stopWanted = false;
  text = "";
  seq; // of the last event taken
  #events = new EventList();
  #begun = false; // "start" was told
  #skip = 0; // characters that a replay from the start brings again
  #settle;
  #known;
  #stopping = null;
  #stopper;
  #leaving = new AbortController();

  constructor({ runId = null, sessionId = null, after = 0 }, stopper) {
    this.sessionId = sessionId;
    this.seq = after;
    this.#stopper = stopper;
    this.whole = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
    this.whole.catch(() => {}); // who only reads the events has the error from there
    this.#known = new Promise((resolve) => { this.#settle.known = resolve; });
    this.runId = runId;
    if (runId) this.#settle.known(runId);
  }

  [Symbol.asyncIterator]() {
    return this.#events[Symbol.asyncIterator]();
  }

  /** Aborted when this reply is left. */
  get left() {
    return this.#leaving.signal;
  }

  get begun() {
    return this.text !== "" || this.ended;
  }

  /** Stop the run; return the receipt. Again: the same. Rejects if no run was ever started. */
  stop() {
    this.stopWanted = true;
    this.#stopping ??= this.#stopper(this);
    this.#stopping.catch(() => {});
    return this.#stopping;
  }

  /** Let go of the reply without stopping it: the connection is closed, the run goes on. */
  leave() {
    if (this.ended) return;
    const error = new TandemError("left", undefined, this.#details());
    this.#finish();
    this.#leaving.abort(error);
    this.#events.end();
    this.#settle.reject(error);
  }

  /** Wait for the id of the run; null if the reply has ended without one. */
  known() {
    return this.#known;
  }

  // What follows is for the delivery.

  begin(runId, sessionId) {
    if (sessionId) this.sessionId = sessionId;
    if (!runId || this.#begun) return;
    this.#begun = true;
    this.runId = runId;
    this.#settle.known(runId);
    this.#events.push({ type: "start", runId, sessionId: this.sessionId });
  }

  /** Take one native event; true if it brought something new. */
  take(payload) {
    if (this.ended || typeof payload !== "object" || payload === null) return false;
    if (payload.seq !== undefined) {
      if (payload.seq <= this.seq) return false; // seen before the cut
      this.seq = payload.seq;
    }
    this.begin(payload.run_id, payload.session_id);
    if (payload.token !== undefined) this.#addText(payload.token, payload.seq ?? null);
    else if (payload.done) this.complete(payload, payload.full_response);
    else if (payload.error !== undefined) this.fail(errorFromJson(payload, this.#details(payload)));
    else if (payload.status) this.note(statusOf(payload));
    return true;
  }

  note(event) {
    this.#events.push(event);
  }

  /** The log begins again as one piece: take it from its start, and show only what is new. */
  restart() {
    this.seq = 0;
    this.#skip = this.text.length;
  }

  /** Take an answer that came whole. */
  takeWhole(answer) {
    this.begin(answer.run_id, answer.session_id);
    if (answer.response.length > this.text.length) this.#addText(answer.response.slice(this.text.length), null);
    this.complete(answer, answer.response);
  }

  complete(said, text = this.text) {
    const end = { text, runId: this.runId, sessionId: this.sessionId, ...figures(said) };
    this.#finish();
    this.note({ type: "end", ...end });
    this.#events.end();
    this.#settle.resolve(end);
  }

  fail(error) {
    if (error instanceof TandemError) Object.assign(error, this.#details(error));
    this.#finish();
    this.#events.end(error);
    this.#settle.reject(error);
  }

  #addText(text, seq) {
    const fresh = text.slice(this.#skip);
    this.#skip = Math.max(0, this.#skip - text.length);
    if (fresh === "") return;
    this.text += fresh;
    this.note({ type: "text", text: fresh, seq });
  }

  #finish() {
    this.ended = true;
    this.#settle.known(this.runId);
  }

  #details(error = {}) {
    return {
      runId: this.runId ?? error.runId ?? error.run_id ?? null,
      sessionId: this.sessionId ?? error.sessionId ?? null,
      text: this.text,
    };
  }
}

function statusOf(payload) {
  const event = { type: "status", status: payload.status, ageS: payload.age_s ?? null };
  return payload.reasoning === undefined ? event : { ...event, reasoning: payload.reasoning };
}

function figures(said) {
  return {
    finishReason: said.finish_reason,
    usage: said.usage ?? null,
    cost: said.cost ?? null,
    provider: said.provider ?? null,
    model: said.model ?? null,
    duration: said.duration ?? null,
    ttftMs: said.ttft_ms ?? null,
    seq: said.seq ?? null,
  };
}
