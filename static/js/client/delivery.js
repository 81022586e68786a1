// Fetches one reply. A run that is known is resumed, on the same transport and then on the other
// one. While none is known, the message is sent again with the same idempotency key, at last as a
// request for a whole answer: the key joins a run that has started unnoticed, so that none is
// started twice.

import { errorFromJson, kindOf } from "./errors.js";
import { path } from "./http.js";
import { backoffMs, isOffline, pause } from "./pause.js";
import { TandemError } from "./tandem-error.js";
import { Watchdog } from "./watchdog.js";

/** @import { Http } from "./http.js" */
/** @import { IncomingReply } from "./reply.js" */
/** @import { Settings } from "./settings.js" */
/** @import { Frame, Opened, StreamRequest, Transport } from "./transports/frames.js" */
/** @import { TransportName } from "./types.js" */

/** @typedef {TransportName | "whole"} Way */
/** @typedef {{ sse: Transport, socket?: Transport }} Transports */

/**
 * @typedef {object} DeliveryParts
 * @property {Transports} transports
 * @property {Http} http
 * @property {Settings} settings
 * @property {StreamRequest | null} request None for a run that is only followed.
 * @property {boolean} reasoning Whether a thinking model's thoughts are wanted.
 */

const SAME_WAY_TRIES = 2; // then the other transport has its turn
const BUSY_TRIES = 3; // answers of 429 or 503 in a row
const ONLINE_MS = 1500; // a connection from before the machine was offline may be dead
const LONGEST_BUSY_MS = 60_000; // once the text has begun to come; before, streamingTimeout counts

export class Delivery {
  /**
   * The one in use.
   * @type {Way}
   */
  way;
  begunAt = 0; // till it runs
  #reply;
  #transports;
  #http;
  #settings;
  #request;
  #reasoning;
  /** @type {Way[]} */
  #plan;
  #tries = 0; // since something new has come; offline, they are not used up
  #failures = 0; // those that did not count, too
  #busy = 0;
  /** @type {Way | undefined} */
  #tried; // the last way
  /** @type {unknown} */
  #error = null; // the last one

  /**
   * @param {IncomingReply} reply
   * @param {DeliveryParts} parts
   */
  constructor(reply, { transports, http, settings, request, reasoning }) {
    this.#reply = reply;
    this.#transports = transports;
    this.#http = http;
    this.#settings = settings;
    this.#request = request;
    this.#reasoning = reasoning;
    const { transport } = settings;
    // Without a key it is tried once: if the first try did arrive, a second could not join its run.
    this.#plan = request?.url ? [transport] : planOf(settings, this.#other(transport));
    this.way = this.#plan[0];
  }

  async run() {
    this.begunAt = performance.now();
    try {
      while (!this.#reply.ended) await this.#try(this.#next());
    } catch (error) {
      if (!this.#reply.ended) this.#reply.fail(error);
    }
  }

  /**
   * Return the way to try now. Throws the last error when there is none left.
   * @returns {Way}
   */
  #next() {
    const tries = this.#tries;
    if (!this.#reply.runId) {
      const way = this.#plan[tries];
      // A whole answer cannot be stopped before it is found: do not begin one that is unwanted.
      if (!way || (way === "whole" && tries > 0 && this.#reply.stopWanted)) throw this.#error;
      return way;
    }
    if (tries > this.#settings.retry.times) throw this.#error;
    const other = tries > SAME_WAY_TRIES && tries % 2 === 1 && this.#other(this.way);
    return other || this.way;
  }

  /**
   * @param {Way} way
   * @returns {TransportName | null}
   */
  #other(way) {
    const other = way === "sse" ? "socket" : "sse";
    return this.#settings.fallbackOnError && this.#transports[other] ? other : null;
  }

  /** @param {Way} way */
  async #try(way) {
    if (this.#tries > 0) this.#tellTry(way);
    this.#tried = way;
    try {
      if (way === "whole") await this.#whole();
      else await this.#stream(way);
      if (!this.#reply.ended) throw new TandemError("network"); // closed without an end: a cut
    } catch (error) {
      if (!this.#reply.ended) await this.#recover(error);
    }
  }

  /** @param {Way} way */
  #tellTry(way) {
    const reason = this.#error instanceof TandemError ? this.#error.code : null;
    const attempt = this.#tries;
    const { runId, seq } = this.#reply;
    const again = runId ? { runId, after: seq } : {};
    this.#http.say(runId ? "resumes" : "sends again", { over: way, attempt, reason, ...again });
    if (way !== this.#tried) this.#http.say("changes its way", { from: this.#tried, to: way });
    if (!this.#reply.runId) this.#reply.note({ type: "retry", attempt, transport: way, reason });
    // The answer of a run that is known is not asked for as a whole.
    else if (way !== "whole") this.#reply.note({ type: "resume", attempt, transport: way, reason });
  }

  /** @param {unknown} error */
  async #recover(error) {
    this.#error = error;
    const kind = kindOf(error);
    if (kind === "busy" && error instanceof TandemError) {
      await this.#waitAsTold(error);
      return;
    }
    const tooSlow = isCode(error, "streaming_timeout") && !this.#reply.runId;
    if (kind === "final" && !(tooSlow && this.#plan.includes("whole"))) throw error;
    if (kind === "reset") this.#reply.restart();
    if (tooSlow) this.#tries = this.#plan.indexOf("whole");
    else this.#tries = isOffline() ? Math.max(this.#tries, 1) : this.#tries + 1;
    this.#next(); // throws, before a pause for nothing
    await pause(backoffMs(this.#failures, this.#settings.retry), this.#reply.left);
    this.#failures += 1;
  }

  /** @param {TandemError} error */
  async #waitAsTold(error) {
    this.#busy += 1;
    const waitMs = (error.retryAfterS ?? 0) * 1000 + Math.random() * this.#settings.retry.firstMs;
    const longest = this.#reply.begun ? LONGEST_BUSY_MS : this.#leftMs();
    if (this.#busy > BUSY_TRIES || waitMs > longest) throw error;
    await pause(waitMs, this.#reply.left, { wakeable: false });
  }

  #leftMs() {
    return this.#settings.streamingTimeout - (performance.now() - this.begunAt);
  }

  /** @param {TransportName} way */
  async #stream(way) {
    const { chunkTimeout, heartbeatsCount } = this.#settings;
    const reply = this.#reply;
    const watchdog = new Watchdog(this.#reply.left);
    const online = () => watchdog.limit("network", ONLINE_MS);
    globalThis.addEventListener?.("online", online);
    try {
      if (!this.#reply.begun) watchdog.limit("streaming_timeout", this.#leftMs());
      watchdog.limit("chunk_timeout", chunkTimeout);
      let heard = -1; // the last entry that the model's silence is counted from
      for await (const frame of this.#frames(way, watchdog.signal)) {
        watchdog.lift("network");
        watchdog.limit("chunk_timeout", chunkTimeout);
        await this.#take(frame, way, watchdog.signal);
        if (reply.begun) watchdog.lift("streaming_timeout");
        if (reply.ended) return;
        if (heartbeatsCount || !reply.begun || reply.seq === heard) continue;
        watchdog.limit("model_timeout", chunkTimeout);
        heard = reply.seq;
      }
    } finally {
      globalThis.removeEventListener?.("online", online);
      watchdog.close();
    }
  }

  /**
   * @param {TransportName} way
   * @param {AbortSignal} signal
   */
  #frames(way, signal) {
    const transport = /** @type {Transport} */ (this.#transports[way]); // the plan has no others
    const { runId, seq } = this.#reply;
    if (runId) return transport.resume(runId, seq, signal, this.#reasoning);
    return transport.start(this.#newRequest(), signal);
  }

  /** Return the request. There is one as long as no run is known. */
  #newRequest() {
    return /** @type {StreamRequest} */ (this.#request);
  }

  /**
   * @param {Frame} frame
   * @param {TransportName} way
   * @param {AbortSignal} signal
   */
  async #take(frame, way, signal) {
    const reply = this.#reply;
    if (frame.kind === "open") this.#opened(frame, way);
    else if (frame.kind === "event") this.#progress(reply.take(frame.payload));
    else if (frame.kind === "alive") this.#progress(frame.ping === true);
    else if (frame.kind === "warning") reply.note(frame.event);
    else if (frame.kind === "gone") await this.#readEnd(signal);
    else await this.#readEnd(signal).catch(() => {}); // the rest may come over the socket
  }

  /**
   * @param {Opened} frame
   * @param {TransportName} way
   */
  #opened(frame, way) {
    this.way = way;
    this.#progress(frame.runId !== null && !this.#reply.runId);
    this.#reply.begin(frame.runId ?? this.#reply.runId, frame.sessionId);
  }

  /** @param {boolean} some */
  #progress(some) {
    if (some) this.#tries = this.#busy = this.#failures = 0;
  }

  /**
   * The run has ended; if all of it was seen, its record says how.
   * @param {AbortSignal} signal
   */
  async #readEnd(signal) {
    const url = path`/api/runs/${this.#reply.runId ?? ""}`;
    const record = await this.#http.json("GET", url, { signal });
    if (record.seq > this.#reply.seq || record.status === "running") return;
    this.#reply.begin(record.run_id, record.session_id);
    if (!record.error) this.#reply.complete(record);
    else this.#reply.fail(errorFromJson(record.error, { finishReason: record.finish_reason }));
  }

  async #whole() {
    this.way = "whole";
    const watchdog = new Watchdog(this.#reply.left);
    watchdog.limit("whole_timeout", this.#settings.wholeTimeout);
    try {
      this.#reply.takeWhole(await this.#wholeAnswer(watchdog));
    } finally {
      watchdog.close();
    }
  }

  /** @param {Watchdog} watchdog */
  #wholeAnswer(watchdog) {
    const { signal } = watchdog;
    const request = this.#newRequest();
    // Where it is a fallback, nothing streams.
    if (this.#transports.sse.whole && !this.#settings.enableStreaming && this.#tries === 0) {
      const touch = () => watchdog.limit("chunk_timeout", this.#settings.chunkTimeout);
      return this.#transports.sse.whole(request, signal, touch);
    }
    const { body, key } = request;
    /** @type {Record<string, string>} */
    const headers = key ? { "Idempotency-Key": key } : {};
    return this.#http.json("POST", "/api/chat", { json: body, headers, signal });
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function isCode(error, code) {
  return error instanceof TandemError && error.code === code;
}

/**
 * Return the ways to start a run, in the order in which they are tried.
 * @param {Settings} settings
 * @param {TransportName | null} other
 * @returns {Way[]}
 */
function planOf({ enableStreaming, fallbackOnError, transport }, other) {
  if (!enableStreaming) return ["whole", "whole"];
  /** @type {Way[]} */
  const plan = [transport, transport];
  if (!fallbackOnError) return plan;
  return [...plan, ...(other ? [other] : []), /** @type {Way} */ ("whole")];
}
