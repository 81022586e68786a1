// Follows a session: which of its runs start and end, which branch is in use, its deletion. The
// server's events have no cursor, so after a cut the record of the run under way is read.

import { isPassing } from "./errors.js";
import { parsed } from "./feeds.js";
import { path } from "./http.js";
import { backoffMs, pause } from "./pause.js";
import { TandemError } from "./tandem-error.js";
import { Watchdog } from "./watchdog.js";

/** @import { Feed } from "./feeds.js" */
/** @import { Http } from "./http.js" */
/** @import { Settings } from "./settings.js" */
/** @import { SessionEvent, SessionWatch } from "./news.js" */
/** @import { Alive } from "./transports/frames.js" */
/** @import { SseEvent } from "./transports/sse-parser.js" */

/** @implements {SessionWatch} */
export class SessionFollower {
  #http;
  #feed;
  #sessionId;
  #settings;
  #closing = new AbortController();
  /** @type {string | null} */
  #active = null; // the run whose start was reported, and whose end was not

  /**
   * @param {Http} http
   * @param {Feed} feed
   * @param {string} sessionId
   * @param {Settings} settings
   */
  constructor(http, feed, sessionId, settings) {
    this.#http = http;
    this.#feed = feed;
    this.#sessionId = sessionId;
    this.#settings = settings;
  }

  /** Close the connection; a loop over the events ends. */
  close() {
    this.#closing.abort(new TandemError("left"));
  }

  /**
   * Yield the events till `close`, or the session is deleted. Throws the TandemError that trying
   * again does not mend.
   * @returns {AsyncGenerator<SessionEvent, void, undefined>}
   */
  async *[Symbol.asyncIterator]() {
    let tries = 0;
    while (!this.#closing.signal.aborted) {
      try {
        yield* this.#missed();
        for await (const event of this.#events()) {
          const isNews = "type" in event;
          if (isNews || event.ping) tries = 0; // another comment may come before each cut
          if (isNews) yield event;
          if (isNews && event.type === "session_deleted") return;
        }
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (!isPassing(error)) throw error;
        await this.#rest(error, tries);
      }
      tries += 1;
    }
  }

  /**
   * @param {TandemError} error
   * @param {number} tries
   */
  async #rest(error, tries) {
    this.#http.say("follows a session again", {
      sessionId: this.#sessionId, attempt: tries + 1, reason: error.code,
    });
    const ms = backoffMs(tries, this.#settings.retry) + (error.retryAfterS ?? 0) * 1000;
    await pause(ms, this.#closing.signal).catch(() => {});
  }

  /** @returns {AsyncGenerator<SessionEvent | Alive, never, undefined>} */
  async *#events() {
    const watchdog = new Watchdog(this.#closing.signal);
    const touch = () => watchdog.limit("chunk_timeout", this.#settings.chunkTimeout);
    try {
      touch();
      for await (const event of this.#feed(watchdog.signal)) {
        touch();
        if ("kind" in event) yield event;
        else yield* this.#read(event);
      }
    } finally {
      watchdog.close();
    }
    throw new TandemError("network"); // such a stream does not end by itself
  }

  /**
   * Yield what an event of the server's says, if it is new.
   * @param {SseEvent} event
   * @returns {Generator<SessionEvent, void, undefined>}
   */
  *#read({ type, data }) {
    if (type === "branch_changed" || type === "session_deleted") {
      const sessionId = this.#sessionId; // none is named where all were deleted
      const { leaf_id: leafId } = parsed(data);
      if (type === "session_deleted") yield { type, sessionId };
      else if (leafId) yield { type, sessionId, leafId };
      return;
    }
    if (type !== "run_started" && type !== "run_waiting" && type !== "run_ended") return;
    const { run_id: runId, session_id: sessionId, seq, status } = parsed(data);
    if (!runId) return;
    if (type === "run_started" && this.#active === runId) return; // reported before the cut
    this.#active = type === "run_started" ? runId : null;
    if (type === "run_started") yield { type, runId, sessionId, seq };
    else yield { type, runId, sessionId, seq, status };
  }

  /**
   * Yield the end of a run that ended during the cut.
   * @returns {AsyncGenerator<SessionEvent, void, undefined>}
   */
  async *#missed() {
    if (!this.#active) return;
    const runId = this.#active;
    const { signal } = this.#closing;
    const record = await this.#http.json("GET", path`/api/runs/${runId}`, { signal });
    if (record.status === "running" || record.status === "queued") return;
    this.#active = null;
    const { seq, status } = record;
    const type = status === "requires_action" ? "run_waiting" : "run_ended";
    yield { type, runId, sessionId: this.#sessionId, seq, status };
  }
}
