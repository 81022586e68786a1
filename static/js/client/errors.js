// The one error that the client throws, and what kind of trouble each is.

const OURS = {
  network: "The connection to the server failed or was cut.",
  chunk_timeout: "The server has sent nothing for too long.",
  streaming_timeout: "The model has not begun to answer in time. The reply may still come: follow its run.",
  whole_timeout: "The whole answer did not come in time.",
  bad_answer: "What answered is not a Tandem server, or its proxy failed.",
  aborted: "It was aborted before anything was sent.",
  left: "This client has left the reply, which goes on at the server.",
};

/** An error of the server, with its code and id, or one of the connection (a code of ours). */
export class TandemError extends Error {
  constructor(code, message, details = {}) {
    super(message ?? OURS[code] ?? code, details.cause ? { cause: details.cause } : undefined);
    this.name = "TandemError";
    this.code = code;
    this.status = details.status ?? null;
    this.errorId = details.errorId ?? null;
    this.retryable = details.retryable ?? Object.hasOwn(OURS, code);
    this.retryAfterS = details.retryAfterS ?? null;
    this.fields = details.fields ?? null;
    this.runId = details.runId ?? null;
    this.sessionId = details.sessionId ?? null;
    this.finishReason = details.finishReason ?? null;
    this.text = details.text ?? "";
  }
}

/** Return the error of the JSON that the server sends, on HTTP, in an ack, or as an event. */
export function errorFromJson(error, details = {}) {
  return new TandemError(error.code ?? "bad_answer", error.message ?? error.error, {
    errorId: error.error_id,
    retryable: error.retryable ?? false,
    retryAfterS: error.retry_after_s,
    fields: error.fields,
    runId: error.run_id,
    sessionId: error.session_id,
    finishReason: error.finish_reason,
    ...details,
  });
}

/** Return the error of an HTTP answer that is not 2xx. */
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
  const ours = response.status >= 500 ? "bad_answer" : `http_${response.status}`;
  const message = `The answer was ${response.status} and says no more.`;
  return new TandemError(ours, message, { status: response.status, retryAfterS });
}

/** Return `error`, or what a failed fetch means; an abort is what it was aborted with. */
export function connectionError(error, signal) {
  if (error instanceof TandemError) return error;
  if (signal?.aborted && signal.reason instanceof TandemError) return signal.reason;
  return new TandemError("network", undefined, { cause: error });
}

// A bug of the server's, or a proxy's: the same request may do better, and joins by its key.
const CONNECTION = new Set(["network", "chunk_timeout", "bad_answer", "internal_error"]);

/**
 * Return what can be done: "connection" (try again), "busy" (the server says when), "reset" (read
 * from the start) or "final" (the caller's fault, or how the reply ended: never tried again).
 */
export function kindOf(error) {
  if (!(error instanceof TandemError)) return "final";
  if (error.code === "log_reset") return "reset";
  if (error.runId) return "final"; // the run failed, or another is in the way
  if (error.retryAfterS !== null) return "busy";
  return CONNECTION.has(error.code) ? "connection" : "final";
}
