// Follows a session: yields {type: "run_started" | "run_ended", runId, sessionId, seq, status?}.
// The server's events have no cursor, so after a cut the record of the run under way is read.

import { kindOf, TandemError } from "./errors.js";
import { path } from "./http.js";
import { backoffMs, pause } from "./pause.js";
import { sseEvents } from "./transports/sse.js";
import { Watchdog } from "./watchdog.js";

export class SessionWatch {
  #http;
  #sessionId;
  #settings;
  #closing = new AbortController();
  #active = null; // the run that was told as started, and not as ended

  constructor(http, sessionId, settings) {
    this.#http = http;
    this.#sessionId = sessionId;
    this.#settings = settings;
  }

  /** Close the connection; a loop over the events ends. */
  close() {
    this.#closing.abort(new TandemError("left"));
  }

  /** Yield the events till `close`. Throws the TandemError that trying again does not mend. */
  async *[Symbol.asyncIterator]() {
    let tries = 0;
    while (!this.#closing.signal.aborted) {
      try {
        yield* this.#missed();
        for await (const event of this.#events()) {
          if (event.ping || event.runId) tries = 0; // ": open" comes from one that cuts, too
          if (event.runId) yield event;
        }
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (!["connection", "busy"].includes(kindOf(error))) throw error;
        if (tries >= this.#settings.retry.times) throw error;
        await this.#rest(error, tries);
      }
      tries += 1;
    }
  }

  async #rest(error, tries) {
    const ms = backoffMs(tries, this.#settings.retry) + (error.retryAfterS ?? 0) * 1000;
    await pause(ms, this.#closing.signal).catch(() => {});
  }

  async *#events() {
    const watchdog = new Watchdog(this.#closing.signal);
    const { signal } = watchdog;
    const touch = () => watchdog.limit("chunk_timeout", this.#settings.chunkTimeout);
    try {
      touch();
      const headers = { Accept: "text/event-stream" };
      const url = path`/api/chat/sessions/${this.#sessionId}/events`;
      const response = await this.#http.request("GET", url, { headers, signal });
      for await (const event of sseEvents(response, signal)) {
        touch();
        if (event.kind) yield event;
        else yield* this.#told(event);
      }
    } finally {
      watchdog.close();
    }
    throw new TandemError("network"); // it has no end of its own
  }

  *#told({ type, data }) {
    if (type !== "run_started" && type !== "run_ended") return;
    const { run_id: runId, session_id: sessionId, seq, status } = parsed(data);
    if (!runId) return;
    if (type === "run_started" && this.#active === runId) return; // told again, after a cut
    this.#active = type === "run_started" ? runId : null;
    yield { type, runId, sessionId, seq, ...(status ? { status } : {}) };
  }

  /** Yield the end of the run that ended while nothing was heard. */
  async *#missed() {
    if (!this.#active) return;
    const runId = this.#active;
    const record = await this.#http.json("GET", path`/api/runs/${runId}`, { signal: this.#closing.signal });
    if (record.status === "running" || record.status === "queued") return;
    this.#active = null;
    yield { type: "run_ended", runId, sessionId: this.#sessionId, seq: record.seq, status: record.status };
  }
}

function parsed(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {}; // passed over: the next news is as good
  }
}
