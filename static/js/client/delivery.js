// How one reply gets here. The order of what is tried: resume on the same transport, then on the
// other one; a whole answer only while no run is known to have started, and with the same
// idempotency key, which joins a run that started unnoticed. So nothing is ever asked for twice.

import { errorFromJson, kindOf, TandemError } from "./errors.js";
import { path } from "./http.js";
import { backoffMs, pause } from "./pause.js";
import { Watchdog } from "./watchdog.js";

const SAME_WAY_TRIES = 2; // then the other transport has its turn
const BUSY_TRIES = 3; // answers of 429 or 503 in a row
const ONLINE_MS = 1500; // a connection that was there before the machine went offline may be dead, and silent
const LONGEST_BUSY_MS = 60_000; // once the text has begun to come; before, streamingTimeout counts

export class Delivery {
  way; // "sse", "socket" or "whole": the one in use
  #reply;
  #ways;
  #http;
  #settings;
  #request; // { body, key, url? }; none for a run that is only followed
  #reasoning; // whether a thinking model's thoughts are wanted
  #plan;
  #tries = 0; // since something new came
  #busy = 0;
  #begun = performance.now();
  #error = null; // the last one

  constructor(reply, { ways, http, settings, request, reasoning = false }) {
    this.#reply = reply;
    this.#ways = ways;
    this.#http = http;
    this.#settings = settings;
    this.#request = request;
    this.#reasoning = reasoning;
    // What has no key to join by is started over one way, and by one try: a second may find it going.
    this.#plan = request?.url ? [settings.transport] : planOf(settings, this.#other(settings.transport));
    this.way = this.#plan[0];
  }

  async run() {
    try {
      while (!this.#reply.ended) await this.#try(this.#next());
    } catch (error) {
      if (!this.#reply.ended) this.#reply.fail(error);
    }
  }

  /** Return the transport to try now. Throws the last error when there is none left. */
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

  #other(way) {
    const other = way === "sse" ? "socket" : "sse";
    return this.#settings.fallbackOnError && this.#ways[other] ? other : null;
  }

  async #try(way) {
    if (this.#tries > 0) {
      const type = this.#reply.runId ? "resume" : "retry";
      this.#reply.note({ type, attempt: this.#tries, transport: way, reason: this.#error?.code ?? null });
    }
    try {
      if (way === "whole") await this.#whole();
      else await this.#stream(way);
      if (!this.#reply.ended) throw new TandemError("network"); // closed without an end: a cut
    } catch (error) {
      if (!this.#reply.ended) await this.#recover(error);
    }
  }

  async #recover(error) {
    this.#error = error;
    const kind = kindOf(error);
    if (kind === "busy") {
      await this.#waitAsTold(error);
      return;
    }
    const tooSlow = error.code === "streaming_timeout" && !this.#reply.runId;
    if (kind === "final" && !(tooSlow && this.#plan.includes("whole"))) throw error;
    if (kind === "reset") this.#reply.restart();
    this.#tries = tooSlow ? this.#plan.indexOf("whole") : this.#tries + 1;
    this.#next(); // throws, before a pause for nothing
    await pause(backoffMs(this.#tries - 1, this.#settings.retry), this.#reply.left);
  }

  async #waitAsTold(error) {
    this.#busy += 1;
    const waitMs = error.retryAfterS * 1000 + Math.random() * this.#settings.retry.firstMs;
    const longest = this.#reply.begun ? LONGEST_BUSY_MS : this.#leftMs();
    if (this.#busy > BUSY_TRIES || waitMs > longest) throw error;
    await pause(waitMs, this.#reply.left, { wakeable: false });
  }

  #leftMs() {
    return this.#settings.streamingTimeout - (performance.now() - this.#begun);
  }

  async #stream(way) {
    const { chunkTimeout } = this.#settings;
    const watchdog = new Watchdog(this.#reply.left);
    const online = () => watchdog.limit("network", ONLINE_MS);
    globalThis.addEventListener?.("online", online);
    try {
      if (!this.#reply.begun) watchdog.limit("streaming_timeout", this.#leftMs());
      watchdog.limit("chunk_timeout", chunkTimeout);
      for await (const frame of this.#frames(this.#ways[way], watchdog.signal)) {
        watchdog.lift("network");
        watchdog.limit("chunk_timeout", chunkTimeout);
        await this.#take(frame, way, watchdog.signal);
        if (this.#reply.begun) watchdog.lift("streaming_timeout");
        if (this.#reply.ended) return;
      }
    } finally {
      globalThis.removeEventListener?.("online", online);
      watchdog.close();
    }
  }

  #frames(transport, signal) {
    const { runId, seq } = this.#reply;
    if (runId) return transport.resume(runId, seq, signal, this.#reasoning);
    const { body, key, url } = this.#request;
    return transport.start(body, key, signal, url);
  }

  async #take(frame, way, signal) {
    const reply = this.#reply;
    if (frame.kind === "open") this.#opened(frame, way);
    else if (frame.kind === "event") this.#progress(reply.take(frame.payload));
    else if (frame.kind === "alive") this.#progress(frame.ping);
    else if (frame.kind === "warning") reply.note({ type: "warning", message: frame.message, data: frame.data });
    else if (frame.kind === "gone") await this.#readEnd(signal);
    // The rest of the run may be on its way all the same: HTTP need not work for that.
    else await this.#readEnd(signal).catch(() => {});
  }

  #opened(frame, way) {
    this.way = way;
    this.#progress(frame.runId && !this.#reply.runId);
    this.#reply.begin(frame.runId ?? this.#reply.runId, frame.sessionId);
  }

  #progress(some) {
    if (some) this.#tries = this.#busy = 0;
  }

  /** The run has ended; if all of it was seen, its record says how. */
  async #readEnd(signal) {
    const record = await this.#http.json("GET", path`/api/runs/${this.#reply.runId}`, { signal });
    if (record.seq > this.#reply.seq || record.status === "running") return;
    this.#reply.begin(record.run_id, record.session_id);
    if (!record.error) this.#reply.complete(record);
    else this.#reply.fail(errorFromJson(record.error, { finishReason: record.finish_reason }));
  }

  async #whole() {
    this.way = "whole";
    const { body, key } = this.#request;
    const watchdog = new Watchdog(this.#reply.left);
    watchdog.limit("whole_timeout", this.#settings.wholeTimeout);
    try {
      const headers = { "Idempotency-Key": key };
      const { signal } = watchdog;
      this.#reply.takeWhole(await this.#http.json("POST", "/api/chat", { json: body, headers, signal }));
    } finally {
      watchdog.close();
    }
  }
}

/** Return the ways to start a run, in the order in which they are tried. */
function planOf({ enableStreaming, fallbackOnError, transport }, other) {
  if (!enableStreaming) return ["whole", "whole"];
  const plan = [transport, transport];
  if (!fallbackOnError) return plan;
  return [...plan, ...(other ? [other] : []), "whole"];
}
