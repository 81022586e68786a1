// Follows one reply, and keeps `live` of the state: what the reply is doing, and its text.

import { callsOf, withEvent, withFile, withText, workOf } from "./blocks.js";
import { Meter } from "./meter.js";

const FIGURES_MS = 200; // figures that change with each frame cannot be read

/**
 * `live` at its start: `key` is the message it fills, `blocks` what was there before; `from` is where
 * those of the run begin, if some of them are its own.
 */
export function newLive(key, { blocks = [], from = blocks.length, whole = false } = {}) {
  return { key, blocks, from, whole, runId: null, begun: false, work: null, thoughts: "", phase: "connecting", attempt: 0, provider: null, since: Date.now(), stopping: false };
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
    else if (event.type === "text") this.#set(({ blocks }) => ({ blocks: withText(blocks, event.text), begun: true, work: null, phase: "streaming" }));
    else if (event.type === "tool") this.#tool(event);
    else if (event.type === "file") this.#set(({ blocks }) => ({ blocks: withFile(blocks, event.file), begun: true, work: null, phase: "streaming" }));
    else if (event.type === "status") this.#status(event);
    else if (event.type === "resume" || event.type === "retry") this.#set({ phase: "reconnecting", attempt: event.attempt });
    if (event.type === "end") this.#figures();
    else this.#timer ??= setTimeout(() => this.#figures(), FIGURES_MS);
  }

  #status({ status, ageS, reasoning }) {
    const live = this.#store.state.live;
    const thoughts = live.thoughts + (reasoning ?? "");
    // A pause in the middle: what is shown stays.
    const goesOn = live.work ? live.work.phase : live.begun ? "streaming" : status;
    const sinceStart = ageS !== null && callsOf(live.blocks).length === 0;
    const since = sinceStart ? Date.now() - ageS * 1000 : live.since;
    this.#set({ thoughts, since, phase: status === "waiting" ? goesOn : status });
  }

  #tool(event) {
    const now = Date.now();
    this.#set(({ blocks: before, from: first }) => {
      const { blocks, from } = withEvent(before, first, event, now);
      const work = workOf(blocks.slice(from));
      return { blocks, from, work, begun: false, phase: work?.phase ?? "waiting", since: work?.since ?? now };
    });
  }

  #set(change) {
    this.#store.set(({ live }) => (live ? { live: { ...live, ...(typeof change === "function" ? change(live) : change) } } : {}));
  }

  #figures() {
    this.#timer = null;
    this.#store.set({ meter: this.#meter.snapshot() });
  }
}
