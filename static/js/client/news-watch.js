// Follows all sessions: which runs start and end, which branches are chosen, what is deleted. The
// server's news have no cursor: after a cut the reader is told that there may have been some.

import { isPassing } from "./errors.js";
import { parsed } from "./feeds.js";
import { backoffMs, pause } from "./pause.js";
import { TandemError } from "./tandem-error.js";
import { Watchdog } from "./watchdog.js";

/** @import { Feed } from "./feeds.js" */
/** @import { Settings } from "./settings.js" */
/** @import { SseEvent } from "./transports/sse-parser.js" */
/** @import { NewsEvent, NewsWatch } from "./news.js" */

const KNOWN = new Set([
  "run_started",
  "run_waiting",
  "run_ended",
  "branch_changed",
  "session_deleted",
]);

/** @implements {NewsWatch} */
export class NewsFollower {
  #feed;
  #settings;
  #closing = new AbortController();

  /**
   * @param {Feed} feed
   * @param {Settings} settings
   */
  constructor(feed, settings) {
    this.#feed = feed;
    this.#settings = settings;
  }

  /** A loop over the news ends. */
  close() {
    this.#closing.abort(new TandemError("left"));
  }

  /**
   * Yield the news till `close`. Throws the TandemError that trying again does not mend.
   * @returns {AsyncGenerator<NewsEvent, void, undefined>}
   */
  async *[Symbol.asyncIterator]() {
    const { signal } = this.#closing;
    for (let [tries, wasCut] = [0, false]; !signal.aborted; tries += 1) {
      try {
        for await (const event of this.#events()) {
          if (wasCut) yield { type: "reconnected" };
          wasCut = false;
          if (!("kind" in event) || event.ping) tries = 0; // a comment may come before each cut
          if (!("kind" in event) && KNOWN.has(event.type)) yield newsOf(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
        wasCut = true;
        const ms = backoffMs(tries, this.#settings.retry) + (error.retryAfterS ?? 0) * 1000;
        await pause(ms, signal).catch(() => {});
      }
    }
  }

  async *#events() {
    const watchdog = new Watchdog(this.#closing.signal);
    const touch = () => watchdog.limit("chunk_timeout", this.#settings.chunkTimeout);
    try {
      touch();
      for await (const event of this.#feed(watchdog.signal)) {
        touch();
        yield event;
      }
    } finally {
      watchdog.close();
    }
    throw new TandemError("network"); // such a stream does not end by itself
  }
}

/**
 * @param {SseEvent} event
 * @returns {NewsEvent}
 */
function newsOf({ type, data }) {
  const { run_id: runId, session_id: sessionId, leaf_id: leafId, seq, status } = parsed(data);
  const of = { type, sessionId: sessionId ?? null };
  /** @type {Record<string, object>} */
  const more = {
    run_started: { runId, seq },
    run_waiting: { runId, seq, status },
    run_ended: { runId, seq, status },
    branch_changed: { leafId },
  };
  return /** @type {NewsEvent} */ ({ ...of, ...more[type] });
}
