// The time limits of one attempt: when one is over, its signal is aborted with that error.

import { TandemError } from "./tandem-error.js";

export class Watchdog {
  #controller = new AbortController();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  #parent;
  #onAbort = () => this.#controller.abort(this.#parent?.reason);

  /** @param {AbortSignal} [parent] What aborts it, too. */
  constructor(parent) {
    this.#parent = parent;
    if (parent?.aborted) this.#onAbort();
    else parent?.addEventListener("abort", this.#onAbort);
  }

  get signal() {
    return this.#controller.signal;
  }

  /**
   * Set the limit by that name, from now on; it takes the place of the one before.
   * @param {string} code
   * @param {number} ms
   */
  limit(code, ms) {
    this.lift(code);
    this.#timers.set(code, setTimeout(() => this.#controller.abort(new TandemError(code)), Math.max(0, ms)));
  }

  /** @param {string} code */
  lift(code) {
    clearTimeout(this.#timers.get(code));
    this.#timers.delete(code);
  }

  close() {
    for (const code of [...this.#timers.keys()]) this.lift(code);
    this.#parent?.removeEventListener("abort", this.#onAbort);
  }
}
