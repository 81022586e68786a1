// Written by `make types` from the JSDoc of client/tandem-error.js.

/** An error of the server, with its code and id, or one of the codes of the client itself. */
export class TandemError extends Error {
    /**
     * @param {string} code
     * @param {string} [message] By default the sentence of the code.
     * @param {ErrorDetails} [details]
     */
    constructor(code: string, message?: string, details?: ErrorDetails);
    /**
     * The server's code, or one of the client's own: network, chunk_timeout, streaming_timeout, ...
     * @readonly
     * @type {string}
     */
    readonly code: string;
    /**
     * The HTTP status, if it came as one.
     * @readonly
     * @type {number | null}
     */
    readonly status: number | null;
    /**
     * To find it in the server's log.
     * @readonly
     * @type {string | null}
     */
    readonly errorId: string | null;
    /**
     * Whether to send again may help.
     * @readonly
     * @type {boolean}
     */
    readonly retryable: boolean;
    /**
     * @readonly
     * @type {number | null}
     */
    readonly retryAfterS: number | null;
    /**
     * Which fields of the request are wrong, and why.
     * @readonly
     * @type {Record<string, string> | null}
     */
    readonly fields: Record<string, string> | null;
    /**
     * What the model's server said, where the operator lets that be seen.
     * @readonly
     * @type {string | null}
     */
    readonly upstream: string | null;
    /**
     * @readonly
     * @type {string | null}
     */
    readonly runId: string | null;
    /**
     * @readonly
     * @type {string | null}
     */
    readonly sessionId: string | null;
    /**
     * @readonly
     * @type {FinishReason | null}
     */
    readonly finishReason: FinishReason | null;
    /**
     * What of the reply had come.
     * @readonly
     * @type {string}
     */
    readonly text: string;
}
export type ErrorDetails = {
    status?: number | null | undefined;
    errorId?: string | null | undefined;
    /**
     * By default, whether the code is one of the client's own.
     */
    retryable?: boolean | undefined;
    retryAfterS?: number | null | undefined;
    fields?: Record<string, string> | null | undefined;
    upstream?: string | null | undefined;
    runId?: string | null | undefined;
    sessionId?: string | null | undefined;
    finishReason?: FinishReason | null | undefined;
    text?: string | undefined;
    cause?: unknown;
};
import type { FinishReason } from "./records.js";
