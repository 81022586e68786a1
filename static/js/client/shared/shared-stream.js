// One connection for all that is streamed to the tabs of a browser, which opens no more than six to
// a server over HTTP/1.1: one tab has it, and hands the others what is theirs (docs/client.md).

import { FrameQueue } from "../frame-queue.js";
import { TandemError } from "../tandem-error.js";
import { Member } from "./member.js";

/** @import { Http } from "../http.js" */
/** @import { Alive, Frame } from "../transports/frames.js" */
/** @import { SseEvent } from "../transports/sse-parser.js" */
/** @import { Link, SharedFrame } from "./messages.js" */

const PROTOCOL = 1; // of what tabs say to each other: a page of another version keeps apart
// A connection that is silent for one is silent for all.
const SILENCES = new Set(["chunk_timeout", "network"]);

export class SharedStream {
  /** False once what lies between has held the connection back; true again when it has come. */
  usable = true;
  #http;
  /** @type {Member | null} */
  #member = null;
  /** @type {string | null} */
  #name = null;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
    globalThis.addEventListener?.("pagehide", () => this.#member?.leave());
    globalThis.addEventListener?.("pageshow", ({ persisted }) => persisted && this.close());
  }

  /**
   * Follow a run beyond entry `after`. Yields frames; throws TandemError, with the code
   * `not_shared` where only a connection of its own can bring it.
   * @param {string} runId
   * @param {number} after
   * @param {AbortSignal} signal
   * @param {boolean} reasoning
   * @returns {AsyncGenerator<Frame>}
   */
  async *follow(runId, after, signal, reasoning = false) {
    for await (const frame of this.#brought({ runId, after, reasoning }, signal)) {
      if (frame.kind !== "news") yield frame;
    }
  }

  /**
   * Yield the news of all sessions. Throws TandemError when they are interrupted: what happens
   * meanwhile is not told.
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<SseEvent | Alive>}
   */
  async *news(signal) {
    const wanted = { runId: null, after: 0, reasoning: false };
    for await (const frame of this.#brought(wanted, signal)) {
      if (frame.kind === "news") yield { type: frame.type, data: frame.data, lastEventId: "" };
      else yield { kind: "alive", ping: frame.kind === "alive" && frame.ping };
    }
  }

  /** Leave; whatever is asked for next joins again. */
  close() {
    const member = this.#member;
    this.#member = null;
    member?.fail(new TandemError("network"));
    member?.leave();
  }

  /**
   * @param {Omit<Link, "id">} wanted
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<SharedFrame>}
   */
  async *#brought(wanted, signal) {
    const member = await this.#joined();
    /** @type {FrameQueue<SharedFrame>} */
    const queue = new FrameQueue(signal);
    const id = member.add(wanted, queue);
    try {
      for await (const frame of queue) {
        this.usable = true;
        yield frame;
      }
    } catch (error) {
      if (error instanceof TandemError && error.code === "not_shared") this.usable = false;
      throw error;
    } finally {
      member.remove(id, signal.aborted && SILENCES.has(signal.reason?.code));
    }
  }

  /** Return this tab's membership among those that have the same token. */
  async #joined() {
    const name = `tandem:${PROTOCOL}:${this.#http.baseUrl}:${digest(await this.#http.token())}`;
    if (name !== this.#name) this.close(); // somebody else has signed in
    this.#name = name;
    this.#member ??= new Member(this.#http, name);
    return this.#member;
  }
}

/**
 * Return a number that stands for the token: two hashes of FNV-1a, since the name of a channel need
 * not tell what the token is.
 * @param {string | null} token
 */
function digest(token) {
  let [one, other] = [0x811c9dc5, 0x050c5d1f];
  for (const character of token ?? "") {
    const code = character.codePointAt(0) ?? 0;
    one = Math.imul(one ^ code, 0x01000193);
    other = Math.imul(other ^ (code + 1), 0x01000197);
  }
  return `${(one >>> 0).toString(36)}${(other >>> 0).toString(36)}`;
}
