// What a shared connection brings for one reply: the payloads of its run, in order.

import { FrameQueue } from "../frame-queue.js";

/** @import { ServerEvent } from "./frames.js" */

export class SocketLink {
  /** @type {string | null} */
  #runId = null; // known with the ack; everything that comes before is kept
  /** @type {any[]} */
  #early = [];
  /** @type {FrameQueue<ServerEvent>} */
  #queue;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.#queue = new FrameQueue(signal);
  }

  /** Whether the end of its run has come. */
  get ended() {
    return this.#queue.ended;
  }

  /**
   * Name the run; what has come of other runs is dropped.
   * @param {string} runId
   */
  open(runId) {
    this.#runId = runId;
    for (const payload of this.#early.splice(0)) this.take(payload);
  }

  /** @param {any} payload */
  take(payload) {
    // A refusal has no seq; its ack says the same.
    if (payload?.error !== undefined && payload.seq === undefined) return;
    if (this.#runId === null) {
      this.#early.push(payload);
      return;
    }
    if (payload?.run_id !== this.#runId) return;
    this.#queue.push({ kind: "event", payload });
    if (payload.done || payload.error || payload.requires_action) this.#queue.end();
  }

  /** @param {unknown} error */
  fail(error) {
    this.#queue.fail(error);
  }

  /** Yield what comes, until the end of the run. Throws the error of a connection that fails. */
  frames() {
    return this.#queue[Symbol.asyncIterator]();
  }
}
