// Replies over Server-Sent Events, read with fetch.

import { connectionError } from "../errors.js";
import { path, query } from "../http.js";
import { TandemError } from "../tandem-error.js";
import { createSseParser } from "./sse-parser.js";

/** @import { Http } from "../http.js" */
/** @import { Alive, Frame, StreamRequest } from "./frames.js" */
/** @import { SseEvent } from "./sse-parser.js" */

const ACCEPT = { Accept: "text/event-stream" };

export class SseTransport {
  #http;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * Start a run, or join the one that this key has started. Yields frames; throws TandemError.
   * @param {StreamRequest} request
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *start({ body, key, url = "/api/chat/stream" }, signal) {
    const headers = { ...ACCEPT, ...(key ? { "Idempotency-Key": key } : {}) };
    const json = { ...body, partial: false };
    yield* frames(await this.#http.request("POST", url, { json, headers, signal }), signal);
  }

  /**
   * Follow a run beyond `after`. Yields frames; throws TandemError.
   * @param {string} runId
   * @param {number} after
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *resume(runId, after, signal, reasoning = false) {
    const asked = { after, partial: false, ...(reasoning ? { reasoning } : {}) };
    const url = path`/api/runs/${runId}/events` + query(asked);
    const response = await this.#http.request("GET", url, { headers: ACCEPT, signal });
    if (response.status === 204) yield { kind: "gone" };
    else yield* frames(response, signal);
  }
}

/**
 * @param {Response} response
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Frame>}
 */
async function* frames(response, signal) {
  yield {
    kind: "open",
    runId: response.headers.get("X-Run-Id"), // null to a page of an origin that may not read it
    sessionId: response.headers.get("X-Session-Id"),
  };
  for await (const event of sseEvents(response, signal)) {
    yield "kind" in event ? event : frame(event);
  }
}

/**
 * @param {SseEvent} event
 * @returns {Frame}
 */
function frame(event) {
  try {
    return { kind: "event", payload: JSON.parse(event.data) };
  } catch {
    const message = "An event is not JSON; it was passed over.";
    return { kind: "warning", event: { type: "warning", message, data: event.data } };
  }
}

/**
 * Yield the events of an event stream, and {kind: "alive"} for each read that brought anything.
 * @param {Response} response
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<SseEvent | Alive>}
 */
export async function* sseEvents(response, signal) {
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
  if (!isStream || !response.body) {
    response.body?.cancel().catch(() => {});
    throw new TandemError("bad_answer");
  }
  const reader = response.body.getReader();
  /** @type {(SseEvent | Alive)[]} */
  let found = [];
  const parser = createSseParser({
    onEvent: (event) => found.push(event),
    onComment: (text) => found.push({ kind: "alive", ping: text === "ping" }),
  });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield { kind: "alive" };
      parser.feed(value);
      yield* found;
      found = [];
    }
  } catch (error) {
    throw connectionError(error, signal);
  } finally {
    reader.cancel().catch(() => {}); // closes the connection if the reader leaves early
  }
}
