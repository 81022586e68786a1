// What a connection that several share brings for one of them, in order, till it is read.

import { connectionError } from "./errors.js";

/** @template T */
export class FrameQueue {
  ended = false;
  /** @type {T[]} */
  #frames = [];
  /** @type {unknown} */
  #error = null;
  /** @type {(() => void) | null} */
  #wake = null;

  /** @param {AbortSignal} signal Aborting it fails the queue. */
  constructor(signal) {
    const aborted = () => this.fail(connectionError(new Error("aborted"), signal));
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  }

  /** @param {T} frame */
  push(frame) {
    this.#frames.push(frame);
    this.#wake?.();
  }

  /** Nothing comes after what there is. */
  end() {
    this.ended = true;
    this.#wake?.();
  }

  /** @param {unknown} error */
  fail(error) {
    this.#error ??= error;
    this.#wake?.();
  }

  /** Yield what comes, to the end. Throws the error of a connection that fails. */
  async *[Symbol.asyncIterator]() {
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
