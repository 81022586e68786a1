// Follows one reply, and keeps `live` of the state: what the reply is doing, and its text.

import { Meter } from "./meter.js";

const FIGURES_MS = 200; // figures that change with each frame cannot be read

/** `live` at its start: `key` is the message it fills, `base` the text that was there before. */
export function newLive(key, { base = "", whole = false } = {}) {
  return { key, base, whole, runId: null, text: "", thoughts: "", phase: "connecting", attempt: 0, provider: null, since: Date.now(), stopping: false };
}

export class LiveReply {
  #store;
  #reply;
  #meter;
  #timer = null;

  constructor(store, reply, { own, transport }) {
    this.#store = store;
    this.#reply = reply;
    this.#meter = new Meter(transport, own, performance.now());
  }

  get meter() {
    return this.#meter;
  }

  /** Follow it to its end; `onStart` is called when the server has it. Throws its TandemError. */
  async follow(onStart) {
    this.#figures();
    try {
      for await (const event of this.#reply) {
        this.#meter.take(event, performance.now());
        this.#take(event);
        if (event.type === "start") onStart(event);
      }
      return await this.#reply.whole;
    } finally {
      clearTimeout(this.#timer);
    }
  }

  #take(event) {
    if (event.type === "start") this.#set({ runId: event.runId, phase: "waiting" });
    else if (event.type === "text") this.#set({ text: this.#reply.text, phase: "streaming" });
    else if (event.type === "status") this.#status(event);
    else if (event.type === "resume" || event.type === "retry") this.#set({ phase: "reconnecting", attempt: event.attempt });
    if (event.type === "end") this.#figures();
    else this.#timer ??= setTimeout(() => this.#figures(), FIGURES_MS);
  }

  #status({ status, ageS, reasoning }) {
    const live = this.#store.state.live;
    const thoughts = live.thoughts + (reasoning ?? "");
    const begun = live.text !== "" && status === "waiting"; // a pause in the middle: what is shown stays
    const since = ageS === null ? live.since : Date.now() - ageS * 1000;
    this.#set({ thoughts, since, phase: begun ? "streaming" : status });
  }

  #set(change) {
    this.#store.set(({ live }) => (live ? { live: { ...live, ...change } } : {}));
  }

  #figures() {
    this.#timer = null;
    this.#store.set({ meter: this.#meter.snapshot() });
  }
}
