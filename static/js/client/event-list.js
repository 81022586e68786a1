// Events, for any number of readers; each gets all, from the first one.

/** @template T */
export class EventList {
  /** @type {T[]} */
  #events = [];
  #ended = false;
  /** @type {unknown} */
  #error = null;
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /** @param {T} event */
  push(event) {
    if (this.#ended) return;
    this.#events.push(event);
    this.#wake();
  }

  /**
   * Nothing comes after this; readers get the error, if there is one, after the events.
   * @param {unknown} [error]
   */
  end(error = null) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** @returns {AsyncGenerator<T, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    for (let next = 0; ; ) {
      while (next < this.#events.length) yield this.#events[next++];
      if (this.#ended) break;
      /** @type {Promise<void>} */
      const more = new Promise((resolve) => { this.#waiting.add(resolve); });
      await more;
    }
    if (this.#error) throw this.#error;
  }

  #wake() {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
