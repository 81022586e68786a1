// Makes errors of what the server sends and of failed connections, and says what can be done.

import { TandemError } from "./tandem-error.js";

/** @import { ErrorDetails } from "./tandem-error.js" */

/**
 * Return the error of the JSON that the server sends, on HTTP, in an ack, or as an event.
 * @param {Record<string, any>} error
 * @param {ErrorDetails} [details]
 */
export function errorFromJson(error, details = {}) {
  return new TandemError(error.code ?? "bad_answer", error.message ?? error.error, {
    errorId: error.error_id,
    retryable: error.retryable ?? false,
    retryAfterS: error.retry_after_s,
    fields: error.fields,
    upstream: error.details,
    runId: error.run_id,
    sessionId: error.session_id,
    finishReason: error.finish_reason,
    ...details,
  });
}

/**
 * Return the error of an HTTP answer that is not 2xx.
 * @param {Response} response
 */
export async function errorFromResponse(response) {
  const seconds = Number(response.headers.get("Retry-After") || NaN);
  const retryAfterS = Number.isFinite(seconds) ? seconds : undefined;
  const json = await response.json().catch(() => null);
  if (json?.error?.code) {
    const fromBody = json.error.retry_after_s;
    return errorFromJson(json.error, {
      status: response.status,
      retryAfterS: fromBody ?? retryAfterS,
    });
  }
  const code = response.status >= 500 ? "bad_answer" : `http_${response.status}`;
  const message = `The answer was ${response.status} and says no more.`;
  return new TandemError(code, message, { status: response.status, retryAfterS });
}

/**
 * Return `error`, or what a failed fetch means; an abort is what it was aborted with.
 * @param {unknown} error
 * @param {AbortSignal | null} [signal]
 * @returns {TandemError}
 */
export function connectionError(error, signal) {
  if (error instanceof TandemError) return error;
  if (signal?.aborted && signal.reason instanceof TandemError) return signal.reason;
  return new TandemError("network", undefined, { cause: error });
}

// A fault of the server's, or a proxy's: the same request may do better, and joins by its key.
const CONNECTION = new Set([
  "network", "chunk_timeout", "not_shared", "bad_answer", "internal_error",
]);

/**
 * Return what can be done: "connection" (try again), "busy" (the server says when), "reset" (read
 * from the start) or "final" (the caller's fault, or how the reply ended: never tried again).
 * @param {unknown} error
 * @returns {"connection" | "busy" | "reset" | "final"}
 */
export function kindOf(error) {
  if (!(error instanceof TandemError)) return "final";
  if (error.code === "log_reset") return "reset";
  if (error.runId) return "final"; // the run failed, or another is in the way
  if (error.retryAfterS !== null) return "busy";
  return CONNECTION.has(error.code) ? "connection" : "final";
}

/**
 * Return whether another try may help: at once, or after the time that the server names.
 * @param {unknown} error
 * @returns {error is TandemError}
 */
export function isPassing(error) {
  const kind = kindOf(error);
  return kind === "connection" || kind === "busy";
}
