// What one reply hears of a shared connection: the payloads of its run, in order.

import { connectionError } from "../errors.js";

/** @import { ServerEvent } from "./frames.js" */

export class SocketLink {
  ended = false; // its run's end has come: nothing more will
  /** @type {string | null} */
  #runId = null; // not known before the ack; till then all is kept
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
   * Name the run; what came of others is dropped.
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

  /** Yield what comes, till the end of the run. Throws what it failed by. */
  async *frames() {
    for (;;) {
      const frames = this.#frames;
      this.#frames = [];
      yield* frames;
      if (this.#frames.length > 0) continue;
      if (this.#error) throw this.#error;
      if (this.ended) return;
      await new Promise((/** @type {(value: void) => void} */ resolve) => { this.#wake = resolve; });
    }
  }
}
