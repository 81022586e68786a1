// Replies over Server-Sent Events, read with fetch. Yields frames, as the other transport does:
// {kind: "open", runId, sessionId}, "event" {payload}, "alive", "warning",
// "gone" (ended, and all was seen), "ended" (and perhaps not all was seen: the rest follows).

import { connectionError, TandemError } from "../errors.js";
import { path, query } from "../http.js";
import { createSseParser } from "./sse-parser.js";

const ACCEPT = { Accept: "text/event-stream" };

export class SseTransport {
  name = "sse";
  #http;

  constructor(http) {
    this.#http = http;
  }

  /** Start a run, or join the one that this key has started. Yields frames; throws TandemError. */
  async *start(body, key, signal, url = "/api/chat/stream") {
    const headers = { ...ACCEPT, ...(key ? { "Idempotency-Key": key } : {}) };
    const json = { ...body, partial: false };
    yield* frames(await this.#http.request("POST", url, { json, headers, signal }), signal);
  }

  /** Follow a run beyond `after`. Yields frames; throws TandemError. */
  async *resume(runId, after, signal, reasoning = false) {
    const asked = { after, partial: false, ...(reasoning ? { reasoning } : {}) };
    const url = path`/api/runs/${runId}/events` + query(asked);
    const response = await this.#http.request("GET", url, { headers: ACCEPT, signal });
    if (response.status === 204) yield { kind: "gone" };
    else yield* frames(response, signal);
  }
}

async function* frames(response, signal) {
  yield {
    kind: "open",
    runId: response.headers.get("X-Run-Id"), // null to a page of an origin that may not read it
    sessionId: response.headers.get("X-Session-Id"),
  };
  for await (const event of sseEvents(response, signal)) yield event.kind ? event : frame(event);
}

function frame(event) {
  try {
    return { kind: "event", payload: JSON.parse(event.data) };
  } catch {
    return { kind: "warning", message: "An event is not JSON; it was passed over.", data: event.data };
  }
}

/** Yield the events of an event stream, and {kind: "alive"} for each read that brought anything. */
export async function* sseEvents(response, signal) {
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    response.body?.cancel().catch(() => {});
    throw new TandemError("bad_answer");
  }
  const reader = response.body.getReader();
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
    reader.cancel().catch(() => {}); // closes the connection of one who leaves early
  }
}
