// The figures of one reply, as it comes. Pure: the time is passed in, in milliseconds.

const MOST_GAPS = 80;
const BYTES_A_TOKEN = 4; // the server's own estimate, till usage is told
const HELD_MS = 2000; // a reply made in less may well come at once
const HELD_SHARE = 0.1;

export class Meter {
  gaps = [];
  resumes = 0;
  transport;
  end = null;
  #own; // asked for here, so that times count from the asking
  #began;
  #first = null;
  #last = null;
  #heard = null; // when the first of it came, a call or text
  #bytes = 0;
  #silences = 0; // cut for saying nothing, before the first piece

  constructor(transport, own, now) {
    this.transport = transport;
    this.#own = own;
    this.#began = now;
  }

  /** Take one event of the client. */
  take(event, now) {
    if (event.type === "text" || event.type === "tool") this.#heard ??= now;
    if (event.type === "text") this.#text(event.text, now);
    else if (event.type === "end") this.end = event;
    else if (event.type === "resume" || event.type === "retry") this.#again(event);
  }

  get ttftMs() {
    if (this.#own) return this.#first === null ? null : this.#first - this.#began;
    return this.end?.ttftMs ?? null;
  }

  /** Tokens per second: the server's figure at the end, an estimate until then. */
  get speed() {
    const { usage, duration: s, ttftMs } = this.end ?? {};
    if (usage && s) return { value: usage.output_tokens / Math.max(s - (ttftMs ?? 0) / 1000, 0.001), about: usage.source !== "reported" };
    const ms = this.#last - this.#first;
    if (this.#first === null || ms < 200) return null;
    return { value: this.#bytes / BYTES_A_TOKEN / (ms / 1000), about: true };
  }

  /** Whether a proxy seems to have buffered the pieces, and sent them all at once. */
  get heldBack() {
    if (!this.#own || this.#first === null) return false;
    if (this.#silences >= 2) return true;
    const { duration: s, ttftMs } = this.end ?? {};
    if (!s || this.resumes || this.transport === "whole") return false;
    const there = s * 1000 - (ttftMs ?? 0);
    return there > HELD_MS && this.#last - this.#heard < there * HELD_SHARE;
  }

  snapshot() {
    const { gaps, resumes, transport, ttftMs, speed, end } = this;
    return { gaps: [...gaps], resumes, transport, ttftMs, speed, end };
  }

  #text(text, now) {
    if (this.#first === null) this.#first = now;
    else this.gaps.push(now - this.#last);
    if (this.gaps.length > MOST_GAPS) this.gaps.shift();
    this.#last = now;
    this.#bytes += new TextEncoder().encode(text).length;
  }

  #again({ type, transport, reason }) {
    this.transport = transport;
    if (type === "resume") this.resumes += 1;
    if (reason === "chunk_timeout" && this.#first === null) this.#silences += 1;
  }
}

/** Return the median and the longest. */
export function middleAndMost(gaps) {
  const sorted = [...gaps].sort((one, other) => one - other);
  return { middle: sorted[Math.floor(sorted.length / 2)] ?? 0, most: sorted.at(-1) ?? 0 };
}
