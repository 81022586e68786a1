// The time limits of one try: when one is over, the signal is aborted with the error of its name.

import { TandemError } from "./tandem-error.js";

export class Watchdog {
  #controller = new AbortController();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  #parent;
  #onAbort = () => this.#controller.abort(this.#parent?.reason);

  /** @param {AbortSignal} [parent] Aborts it as well. */
  constructor(parent) {
    this.#parent = parent;
    if (parent?.aborted) this.#onAbort();
    else parent?.addEventListener("abort", this.#onAbort);
  }

  get signal() {
    return this.#controller.signal;
  }

  /**
   * Begin the limit of that name; it replaces the one before.
   * @param {string} code
   * @param {number} ms
   */
  limit(code, ms) {
    this.lift(code);
    const end = () => this.#controller.abort(new TandemError(code));
    this.#timers.set(code, setTimeout(end, Math.max(0, ms)));
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
