// The events of one reply, for any number of readers; each gets all, from the first one.

export class EventList {
  #events = [];
  #ended = false;
  #error = null;
  #waiting = new Set();

  push(event) {
    if (this.#ended) return;
    this.#events.push(event);
    this.#wake();
  }

  /** Nothing comes after this; readers get the error, if there is one, after the events. */
  end(error = null) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (let next = 0; ; ) {
      while (next < this.#events.length) yield this.#events[next++];
      if (this.#ended) break;
      await new Promise((resolve) => this.#waiting.add(resolve));
    }
    if (this.#error) throw this.#error;
  }

  #wake() {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
