// Where the news of sessions come from: a connection of their own, or the one that tabs share.

import { path } from "./http.js";
import { sseEvents } from "./transports/sse.js";

/** @import { Http } from "./http.js" */
/** @import { SharedStream } from "./shared/shared-stream.js" */
/** @import { Alive } from "./transports/frames.js" */
/** @import { SseEvent } from "./transports/sse-parser.js" */

/**
 * Yields the server's events until it is interrupted; throws TandemError then.
 * @typedef {(signal: AbortSignal) => AsyncIterable<SseEvent | Alive>} Feed
 */

/**
 * Return the news of a session, or of all.
 * @param {Http} http
 * @param {SharedStream | null} shared
 * @param {string | null} [sessionId]
 * @returns {Feed}
 */
export function feedOf(http, shared, sessionId = null) {
  if (!shared) {
    const url = sessionId === null
      ? "/api/chat/events"
      : path`/api/chat/sessions/${sessionId}/events`;
    return (signal) => ownEvents(http, url, signal);
  }
  if (sessionId === null) return (signal) => shared.news(signal);
  return (signal) => sharedEvents(http, shared, sessionId, signal);
}

/**
 * @param {Http} http
 * @param {string} url
 * @param {AbortSignal} signal
 */
async function* ownEvents(http, url, signal) {
  const headers = { Accept: "text/event-stream" };
  yield* sseEvents(await http.request("GET", url, { headers, signal }), signal);
}

/**
 * @param {Http} http
 * @param {SharedStream} shared
 * @param {string} sessionId
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<SseEvent | Alive>}
 */
async function* sharedEvents(http, shared, sessionId, signal) {
  let begun = false;
  for await (const event of shared.news(signal)) {
    if (!begun) yield* active(http, sessionId, signal);
    begun = true;
    if ("kind" in event || isOf(sessionId, event.data)) yield event;
  }
}

/**
 * Yield the start of the run under way, as the server's own feed of a session does. Throws if there
 * is no such session.
 * @param {Http} http
 * @param {string} sessionId
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<SseEvent>}
 */
async function* active(http, sessionId, signal) {
  const url = path`/api/chat/sessions/${sessionId}`;
  const { active_run: run } = await http.json("GET", url, { signal });
  const data = JSON.stringify({ ...run, session_id: sessionId });
  if (run) yield { type: "run_started", data, lastEventId: "" };
}

/**
 * @param {string} sessionId
 * @param {string} data
 */
function isOf(sessionId, data) {
  const { session_id: named } = parsed(data);
  return named === sessionId || named === null; // null: of all that there are
}

/**
 * Return what an event says; nothing, if it cannot be read: the next one says as much.
 * @param {string} data
 * @returns {Record<string, any>}
 */
export function parsed(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}
