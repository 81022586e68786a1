// What a transport is, and the frames that it yields. Nothing runs here, and no page loads it.

/** @import { WarningEvent } from "../types.js" */

/**
 * @typedef {object} StreamRequest
 * @property {Record<string, unknown>} body
 * @property {string} [key] The idempotency key.
 * @property {string} [url] Where to start it over SSE, if it is no new message.
 */

/** @typedef {{ kind: "open", runId: string | null, sessionId: string | null }} Opened */

/** @typedef {{ kind: "alive", ping?: boolean }} Alive */

/** @typedef {{ kind: "warning", event: WarningEvent }} Warning */

/**
 * An event of the server's.
 * @typedef {{ kind: "event", payload: any }} ServerEvent
 */

/**
 * "gone": the run has ended, and all of it was seen. "ended": it has ended, and perhaps not all of
 * it was seen; the rest follows.
 * @typedef {Opened | Alive | Warning | ServerEvent | { kind: "gone" } | { kind: "ended" }} Frame
 */

/**
 * All calls throw TandemError.
 * @typedef {object} Transport
 * @property {(request: StreamRequest, signal: AbortSignal) => AsyncIterable<Frame>} start
 *   Start a run, or join the one that this key has started.
 * @property {(runId: string, after: number, signal: AbortSignal, reasoning: boolean)
 *   => AsyncIterable<Frame>} resume
 *   Follow a run beyond entry `after`.
 * @property {(request: StreamRequest, signal: AbortSignal, touch: () => void)
 *   => Promise<any>} [whole]
 *   Start a run, or join it; return its whole answer. `touch` is called for each sign of life.
 */

export {};
