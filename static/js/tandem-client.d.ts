// Written by `make types` from the JSDoc of tandem-client.js.

export * from "./client/blocks.js";
export { randomId } from "./client/random-id.js";
export { TandemError } from "./client/tandem-error.js";
export { createSseParser } from "./client/transports/sse-parser.js";
export class TandemClient {
    /** @param {ClientOptions} [options] */
    constructor(options?: ClientOptions);
    /**
     * The routes of sessions; they return what the server answers.
     * @readonly
     * @type {Sessions}
     */
    readonly sessions: Sessions;
    /**
     * The server's tools, and answers to what replies wait for.
     * @readonly
     * @type {Tools}
     */
    readonly tools: Tools;
    /**
     * Send a message; return its Reply. The same text to the same session while the first is
     * unanswered is the same Reply: a double click is one message. Attachments are uploaded first.
     * @param {string} message
     * @param {SendOptions} [options]
     * @returns {Reply}
     */
    send(message: string, options?: SendOptions): Reply;
    /**
     * Follow a run that is under way, or was: return its Reply, from entry `after` on.
     * @param {string} runId
     * @param {FollowOptions} [options]
     * @returns {Reply}
     */
    follow(runId: string, options?: FollowOptions): Reply;
    /**
     * Carry on a reply that did not complete: return the Reply of what is new. It starts over SSE,
     * since Socket.IO has no event for it, and may be resumed over either transport.
     * @param {string} runId
     * @param {ContinueOptions} [options]
     * @returns {Reply}
     */
    continue(runId: string, options?: ContinueOptions): Reply;
    /**
     * Follow a session: which runs start and end. Iterate over it; `close` it.
     * @param {string} sessionId
     * @param {WatchOptions} [options]
     * @returns {SessionWatch}
     */
    watchSession(sessionId: string, options?: WatchOptions): SessionWatch;
    /**
     * Follow all sessions: which runs start and end, what is deleted. Iterate over it; `close` it.
     * @param {WatchOptions} [options]
     * @returns {NewsWatch}
     */
    watchAll(options?: WatchOptions): NewsWatch;
    /**
     * Return the Reply that is under way in a session, if this client started or follows it.
     * @param {ConversationId} id
     * @returns {Reply | undefined}
     */
    replyOf(id: ConversationId): Reply | undefined;
    /**
     * Upload a file: its id is one of the `attachments` of a message, within a day. A connection that
     * is cut is tried again, as the same upload.
     * @param {Blob} file
     * @param {UploadOptions} [options]
     * @returns {Promise<Attachment>}
     */
    upload(file: Blob, options?: UploadOptions): Promise<Attachment>;
    /**
     * Return the address of an attachment; to read it the access token is needed.
     * @param {string} id
     * @returns {string}
     */
    attachmentUrl(id: string): string;
    /**
     * Return the bytes of an attachment; `URL.createObjectURL` shows them.
     * @param {string} id
     * @param {{ signal?: AbortSignal }} [options]
     * @returns {Promise<Blob>}
     */
    attachment(id: string, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Blob>;
    /**
     * Return whether an attachment is (still) there.
     * @param {string} id
     * @returns {Promise<boolean>}
     */
    hasAttachment(id: string): Promise<boolean>;
    /**
     * Delete an attachment that no message names; else it throws `attachment_in_use`.
     * @param {string} id
     * @returns {Promise<void>}
     */
    removeAttachment(id: string): Promise<void>;
    /**
     * Return the record of a run.
     * @param {string} runId
     * @returns {Promise<RunRecord>}
     */
    run(runId: string): Promise<RunRecord>;
    /**
     * Return the providers, and which setting each one that is not ready lacks.
     * @returns {Promise<Models>}
     */
    models(): Promise<Models>;
    /**
     * Return the usage: of a session, or of the last `days`.
     * @param {{ sessionId?: string, days?: number }} [options]
     * @returns {Promise<UsageReport>}
     */
    usage({ sessionId, days }?: {
        sessionId?: string;
        days?: number;
    }): Promise<UsageReport>;
    /**
     * Stop any run of this user; return the receipt.
     * @param {string} runId
     * @returns {Promise<Receipt>}
     */
    stop(runId: string): Promise<Receipt>;
    /**
     * Leave every reply, and disconnect. Runs go on.
     * @returns {void}
     */
    close(): void;
    #private;
}
export type TransportName = import("./client/types.js").TransportName;
export type Retry = import("./client/types.js").Retry;
export type DeliveryOptions = import("./client/types.js").DeliveryOptions;
export type Io = import("./client/types.js").Io;
export type ClientOptions = import("./client/types.js").ClientOptions;
export type SendOptions = import("./client/types.js").SendOptions;
export type Attachable = import("./client/uploads.js").Attachable;
export type UploadOptions = import("./client/uploads.js").UploadOptions;
export type FollowOptions = import("./client/types.js").FollowOptions;
export type ContinueOptions = import("./client/types.js").ContinueOptions;
export type WatchOptions = import("./client/types.js").WatchOptions;
export type Reply = import("./client/types.js").Reply;
export type Whole = import("./client/types.js").Whole;
export type ReplyEvent = import("./client/types.js").ReplyEvent;
export type UploadEvent = import("./client/uploads.js").UploadEvent;
export type StartEvent = import("./client/types.js").StartEvent;
export type TextEvent = import("./client/types.js").TextEvent;
export type FileEvent = import("./client/uploads.js").FileEvent;
export type StatusEvent = import("./client/types.js").StatusEvent;
export type ResumeEvent = import("./client/types.js").ResumeEvent;
export type RetryEvent = import("./client/types.js").RetryEvent;
export type WarningEvent = import("./client/types.js").WarningEvent;
export type EndEvent = import("./client/types.js").EndEvent;
export type SessionWatch = import("./client/news.js").SessionWatch;
export type SessionEvent = import("./client/news.js").SessionEvent;
export type NewsWatch = import("./client/news.js").NewsWatch;
export type NewsEvent = import("./client/news.js").NewsEvent;
export type ConversationId = import("./client/types.js").ConversationId;
export type FinishReason = import("./client/records.js").FinishReason;
export type Usage = import("./client/records.js").Usage;
export type Cost = import("./client/records.js").Cost;
export type Receipt = import("./client/records.js").Receipt;
export type Attachment = import("./client/records.js").Attachment;
export type FilePart = import("./client/records.js").FilePart;
export type RunRecord = import("./client/records.js").RunRecord;
export type Session = import("./client/records.js").Session;
export type Message = import("./client/records.js").Message;
export type ListOptions = import("./client/records.js").ListOptions;
export type Exported = import("./client/records.js").Exported;
export type Models = import("./client/records.js").Models;
export type Used = import("./client/records.js").Used;
export type UsageReport = import("./client/records.js").UsageReport;
export type Sessions = import("./client/records.js").Sessions;
export type Tools = import("./client/records.js").Tools;
export type ErrorDetails = import("./client/tandem-error.js").ErrorDetails;
export type SseEvent = import("./client/transports/sse-parser.js").SseEvent;
export type SseHandlers = import("./client/transports/sse-parser.js").SseHandlers;
export type SseParser = import("./client/transports/sse-parser.js").SseParser;
