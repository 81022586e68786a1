// What a shared connection brings for one reply: the payloads of its run, in order.

import { connectionError } from "../errors.js";

/** @import { ServerEvent } from "./frames.js" */

export class SocketLink {
  ended = false; // the end of its run has come
  /** @type {string | null} */
  #runId = null; // known with the ack; everything that comes before is kept
  /** @type {ServerEvent[]} */
  #frames = [];
  /** @type {unknown} */
  #error = null;
  /** @type {(() => void) | null} */
  #wake = null;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    const aborted = () => this.fail(connectionError(new Error("aborted"), signal));
    signal.addEventListener("abort", aborted, { once: true });
  }

  /**
   * Name the run; what has come of other runs is dropped.
   * @param {string} runId
   */
  open(runId) {
    this.#runId = runId;
    const kept = this.#frames;
    this.#frames = [];
    for (const frame of kept) this.take(frame.payload);
  }

  /** @param {any} payload */
  take(payload) {
    if (this.#runId !== null && payload?.run_id !== this.#runId) return;
    // A refusal has no seq; its ack says the same.
    if (payload?.error !== undefined && payload.seq === undefined) return;
    if (this.#runId !== null && (payload.done || payload.error)) this.ended = true;
    this.#frames.push({ kind: "event", payload });
    this.#wake?.();
  }

  /** @param {unknown} error */
  fail(error) {
    this.#error ??= error;
    this.#wake?.();
  }

  /** Yield what comes, until the end of the run. Throws the error of a connection that fails. */
  async *frames() {
    for (;;) {
      const frames = this.#frames;
      this.#frames = [];
      yield* frames;
      if (this.#frames.length > 0) continue;
      if (this.#error) throw this.#error;
      if (this.ended) return;
      /** @type {Promise<void>} */
      const more = new Promise((resolve) => { this.#wake = resolve; });
      await more;
    }
  }
}
