// One connection to the server that brings the news of all sessions, and the events of some runs.

import { query } from "../http.js";
import { TandemError } from "../tandem-error.js";
import { sseEvents } from "../transports/sse.js";
import { Watchdog } from "../watchdog.js";

/** @import { Http } from "../http.js" */
/** @import { Alive } from "../transports/frames.js" */
/** @import { SseEvent } from "../transports/sse-parser.js" */

const OPEN_MS = 8000; // its first bytes come at once; if they do not, something holds them back

export class Connection {
  /**
   * How far each run has been brought.
   * @type {Map<string, number>}
   */
  cursors;
  /**
   * The number of the last entry of the runs that have ended.
   * @type {Map<string, number>}
   */
  ends = new Map();
  /** Whether the thoughts of models come too. */
  reasoning;
  #closing = new AbortController();

  /**
   * @param {Map<string, number>} cursors
   * @param {boolean} reasoning
   */
  constructor(cursors, reasoning) {
    this.cursors = cursors;
    this.reasoning = reasoning;
  }

  get closed() {
    return this.#closing.signal.aborted;
  }

  /**
   * Connect; return what it brings, once the server has begun. Throws TandemError.
   * @param {Http} http
   * @returns {Promise<AsyncGenerator<SseEvent | Alive>>}
   */
  async open(http) {
    const watchdog = new Watchdog(this.#closing.signal);
    watchdog.limit("not_shared", OPEN_MS);
    const { signal } = watchdog; // the stream's own too: closing this aborts it
    const runs = [...this.cursors].map(([runId, seq]) => `${runId}:${seq}`).join(",");
    const reasoning = this.reasoning || undefined;
    const asked = { runs: runs || undefined, partial: false, reasoning };
    const headers = { Accept: "text/event-stream" };
    try {
      const url = `/api/chat/events${query(asked)}`;
      const events = sseEvents(await http.request("GET", url, { headers, signal }), signal);
      const { done } = await events.next();
      if (done) throw new TandemError("network");
      watchdog.lift("not_shared");
      return events;
    } catch (error) {
      watchdog.close();
      throw error;
    }
  }

  /**
   * A run waits: this connection brings nothing more of it, even if it goes on.
   * @param {string} runId
   */
  forget(runId) {
    this.cursors.delete(runId);
    this.ends.delete(runId);
  }

  close() {
    this.#closing.abort(new TandemError("left"));
  }
}
