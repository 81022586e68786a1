// The one error that the client throws.

/** @import { FinishReason } from "./records.js" */

/** The codes of the client's own, with their sentences. */
const OWN = /** @type {Record<string, string>} */ ({
  network: "The connection to the server failed or was cut.",
  chunk_timeout: "The server has sent nothing for too long.",
  model_timeout:
    "The model has said nothing for too long. The reply may still come: follow its run.",
  streaming_timeout:
    "The model has not begun to answer in time. The reply may still come: follow its run.",
  whole_timeout: "The whole answer did not come in time.",
  bad_answer: "What answered is not a Tandem server, or its proxy failed.",
  aborted: "It was aborted before anything was sent.",
  left: "This client has left the reply, which goes on at the server.",
  not_shared: "The connection that tabs share cannot be used.",
});

/**
 * @typedef {object} ErrorDetails
 * @property {number | null} [status]
 * @property {string | null} [errorId]
 * @property {boolean} [retryable] By default, whether the code is one of the client's own.
 * @property {number | null} [retryAfterS]
 * @property {Record<string, string> | null} [fields]
 * @property {string | null} [upstream]
 * @property {string | null} [runId]
 * @property {string | null} [sessionId]
 * @property {FinishReason | null} [finishReason]
 * @property {string} [text]
 * @property {unknown} [cause]
 */

/** An error of the server, with its code and id, or one of the codes of the client itself. */
export class TandemError extends Error {
  /**
   * The server's code, or one of the client's own: network, chunk_timeout, streaming_timeout, ...
   * @readonly
   * @type {string}
   */
  code;
  /**
   * The HTTP status, if it came as one.
   * @readonly
   * @type {number | null}
   */
  status;
  /**
   * To find it in the server's log.
   * @readonly
   * @type {string | null}
   */
  errorId;
  /**
   * Whether to send again may help.
   * @readonly
   * @type {boolean}
   */
  retryable;
  /**
   * @readonly
   * @type {number | null}
   */
  retryAfterS;
  /**
   * Which fields of the request are wrong, and why.
   * @readonly
   * @type {Record<string, string> | null}
   */
  fields;
  /**
   * What the model's server said, where the operator lets that be seen.
   * @readonly
   * @type {string | null}
   */
  upstream;
  /**
   * @readonly
   * @type {string | null}
   */
  runId;
  /**
   * @readonly
   * @type {string | null}
   */
  sessionId;
  /**
   * @readonly
   * @type {FinishReason | null}
   */
  finishReason;
  /**
   * What of the reply had come.
   * @readonly
   * @type {string}
   */
  text;

  /**
   * @param {string} code
   * @param {string} [message] By default the sentence of the code.
   * @param {ErrorDetails} [details]
   */
  constructor(code, message, details = {}) {
    super(message ?? OWN[code] ?? code, details.cause ? { cause: details.cause } : undefined);
    this.name = "TandemError";
    this.code = code;
    this.status = details.status ?? null;
    this.errorId = details.errorId ?? null;
    this.retryable = details.retryable ?? Object.hasOwn(OWN, code);
    this.retryAfterS = details.retryAfterS ?? null;
    this.fields = details.fields ?? null;
    this.upstream = details.upstream ?? null;
    this.runId = details.runId ?? null;
    this.sessionId = details.sessionId ?? null;
    this.finishReason = details.finishReason ?? null;
    this.text = details.text ?? "";
  }
}
