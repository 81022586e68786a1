// Written by `make types` from the JSDoc of client/types.js.

export type TransportName = "sse" | "socket";
/**
 * How long to wait between tries: before try `n` a random time of up to `firstMs * 2 ** n`.
 */
export type Retry = {
    firstMs?: number | undefined;
    /**
     * The longest wait.
     */
    mostMs?: number | undefined;
    /**
     * How many tries without anything new.
     */
    times?: number | undefined;
};
export type DeliveryOptions = {
    transport?: TransportName | undefined;
    /**
     * False asks for whole answers.
     */
    enableStreaming?: boolean | undefined;
    /**
     * Milliseconds till the first piece.
     */
    streamingTimeout?: number | undefined;
    /**
     * Milliseconds without a byte.
     */
    chunkTimeout?: number | undefined;
    /**
     * False: once the text has begun, `chunkTimeout` counts the
     * silence of the model too, which heartbeats do not end.
     */
    heartbeatsCount?: boolean | undefined;
    /**
     * Milliseconds till a whole answer.
     */
    wholeTimeout?: number | undefined;
    /**
     * Whether the other transport and the whole answer are tried.
     */
    fallbackOnError?: boolean | undefined;
    retry?: Retry | undefined;
};
/**
 * A socket of Socket.IO's client: what is used of it.
 */
export type Socket = {
    connected: boolean;
    connect: () => unknown;
    disconnect: () => unknown;
    emit: (event: string, ...args: any[]) => unknown;
    on: (event: string, listener: (...args: any[]) => void) => unknown;
    off: (event: string, listener?: (...args: any[]) => void) => unknown;
};
/**
 * The function `io` of Socket.IO's client.
 */
export type Io = (...args: any[]) => Socket;
export type ConnectionOptions = {
    /**
     * Where the server is; by default the page's origin.
     */
    baseUrl?: string | undefined;
    /**
     * The access token.
     */
    token?: string | undefined;
    /**
     * Asked before each request and each connect.
     */
    getToken?: (() => string | null | undefined | Promise<string | null | undefined>) | undefined;
    /**
     * Needed for Socket.IO outside of a page.
     */
    io?: Io | undefined;
    fetch?: typeof fetch | undefined;
    /**
     * Whether console.debug is told what is sent and tried again, without
     * what is said.
     */
    debug?: boolean | undefined;
};
export type SharingOptions = {
    /**
     * Whether all tabs of this browser have one connection for what is
     * streamed over SSE.
     */
    share?: boolean | undefined;
};
export type ClientOptions = DeliveryOptions & ConnectionOptions & SharingOptions;
export type RunOptions = {
    sessionId?: string | undefined;
    /**
     * Whether a thinking model's thoughts come, as status events.
     */
    reasoning?: boolean | undefined;
    /**
     * Aborting it stops the run.
     */
    signal?: AbortSignal | undefined;
};
export type ContinueOptions = DeliveryOptions & RunOptions;
export type Position = {
    /**
     * The last entry seen; 0, the default, is the start.
     */
    after?: number | undefined;
};
export type FollowOptions = ContinueOptions & Position;
export type MessageOptions = {
    provider?: string | undefined;
    model?: string | undefined;
    system?: string | undefined;
    temperature?: number | undefined;
    maxTokens?: number | undefined;
    /**
     * The message that this one is written under; null for the
     * first. By default the last of the branch in use, whatever that is by then.
     */
    parentId?: string | null | undefined;
    /**
     * Whether a session that is not there is an error,
     * `session_gone`, and not made.
     */
    sessionMustExist?: boolean | undefined;
    /**
     * The id of a user's message of the session: this one stands beside it.
     */
    edit?: string | undefined;
    /**
     * The id of a reply of the session: another one is made beside it.
     * The message given does not count.
     */
    regenerate?: string | undefined;
    /**
     * Names of the server's tools, and
     * definitions of the client's own, in OpenAI's form.
     */
    tools?: (string | Record<string, unknown>)[] | undefined;
    /**
     * Pictures and files, at most 32; what is not
     * uploaded yet is, before the message is sent.
     */
    attachments?: readonly Attachable[] | undefined;
    /**
     * By default a random one.
     */
    idempotencyKey?: string | undefined;
};
export type SendOptions = ContinueOptions & MessageOptions;
export type WatchOptions = Pick<DeliveryOptions, "chunkTimeout" | "retry">;
/**
 * A reply that has ended.
 */
export type Whole = {
    text: string;
    runId: string;
    sessionId: string;
    finishReason: FinishReason;
    usage: Usage | null;
    cost: Cost | null;
    provider: string | null;
    model: string | null;
    /**
     * Seconds.
     */
    duration: number | null;
    /**
     * Milliseconds till the first piece.
     */
    ttftMs: number | null;
    /**
     * Names of files that found no room in the model's context, or not
     * whole.
     */
    leftOut: string[];
    seq: number | null;
    /**
     * What the run waits for, with the finish reason
     * `requires_action`: it goes on once that is answered.
     */
    requiresAction?: PendingAction[] | undefined;
};
/**
 * The run is stored at the server.
 */
export type StartEvent = {
    type: "start";
    runId: string;
    sessionId: string | null;
};
export type TextEvent = {
    type: "text";
    text: string;
    /**
     * Null where the answer came whole.
     */
    seq: number | null;
};
/**
 * The run is alive.
 */
export type StatusEvent = {
    type: "status";
    status: string;
    ageS: number | null;
    /**
     * What a thinking model thinks, where it was asked for.
     */
    reasoning?: string | undefined;
};
/**
 * The run is taken up again after a cut.
 */
export type ResumeEvent = {
    type: "resume";
    attempt: number;
    transport: TransportName;
    /**
     * The code of the error before it.
     */
    reason: string | null;
};
/**
 * The message is sent again, with the same key.
 */
export type RetryEvent = {
    type: "retry";
    attempt: number;
    transport: TransportName | "whole";
    /**
     * The code of the error before it.
     */
    reason: string | null;
};
/**
 * An event could not be read.
 */
export type WarningEvent = {
    type: "warning";
    message: string;
    data: string;
};
export type EndEvent = {
    type: "end";
} & Whole;
export type ReplyEvent = UploadEvent | StartEvent | TextEvent | ToolEvent | FileEvent | StatusEvent | ResumeEvent | RetryEvent | WarningEvent | EndEvent;
/**
 * What is known of a reply so far.
 */
export type ReplyState = {
    /**
     * Null till the server has answered.
     */
    runId: string | null;
    sessionId: string | null;
    /**
     * The text so far.
     */
    text: string;
    /**
     * The last entry that was taken.
     */
    seq: number;
    ended: boolean;
    /**
     * Rejects with the TandemError of a reply that fails.
     */
    whole: Promise<Whole>;
};
export type ReplyActions = {
    /**
     * Stop the run; return the receipt, the same one each time.
     * Rejects if no run was started.
     */
    stop: () => Promise<Receipt>;
    /**
     * Close the connection; the run goes on.
     */
    leave: () => void;
};
/**
 * A reply. Any number of loops may iterate over its events; each gets all of them.
 */
export type Reply = Readonly<ReplyState> & ReplyActions & AsyncIterable<ReplyEvent>;
/**
 * A message as the hook shows it.
 */
export type ChatMessage = {
    id: string;
    role: "user" | "assistant" | "system";
    content: string;
    status: string;
    timestamp: string;
    /**
     * What it has called, in order.
     */
    calls: readonly ToolCall[];
    /**
     * Its pictures and files, in order.
     */
    files: readonly FilePart[];
    /**
     * Its texts, calls and files, in order.
     */
    blocks: readonly Block[];
    runId: string | null;
};
/**
 * A session's id, or the number of a conversation as `POST /chat` counts them, which stays
 * a number.
 */
export type ConversationId = string | number;
/**
 * What is on show of a conversation.
 */
export type ChatState = {
    messages: readonly ChatMessage[];
    /**
     * A reply is awaited, streamed or whole.
     */
    isLoading: boolean;
    isStreaming: boolean;
    /**
     * The reply so far.
     */
    streamingMessage: ChatMessage | undefined;
    /**
     * The message of the last error.
     */
    error: string | null;
};
/**
 * The promise resolves to the conversation's id, or rejects with the TandemError.
 */
export type SendPrompt<Id extends ConversationId> = (prompt: string, model?: string, provider?: string, options?: Pick<MessageOptions, "tools" | "attachments">) => Promise<Id>;
export type ChatActions<Id extends ConversationId> = {
    /**
     * Send; the answer comes whole.
     */
    sendMessage: SendPrompt<Id>;
    /**
     * Send; the answer is streamed.
     */
    sendStreamingMessage: SendPrompt<Id>;
    /**
     *   Bring the result of a call that waits for it. Rejects with the TandemError.
     */
    addToolResult: (callId: string, result: Omit<ToolResult, "call_id">) => Promise<void>;
    /**
     *   Allow a call that waits for that, deny it, or answer its question. Rejects likewise.
     */
    approve: (approvalId: string, answer: Approval) => Promise<void>;
    /**
     * Show no messages. The server keeps them.
     */
    clearMessages: () => void;
    clearError: () => void;
};
/**
 * What the hook returns.
 */
export type Chat<Id extends ConversationId = ConversationId> = ChatState & ChatActions<Id>;
/**
 * The hook.
 */
export type UseChat = {
    (conversationId: number): Chat<number>;
    (conversationId?: string | null): Chat<string>;
    (conversationId?: ConversationId | null): Chat;
};
/**
 * The hooks of React that are used. React's own types need not be installed.
 */
export type ReactHooks = {
    useState: (...args: any[]) => any;
    useEffect: (...args: any[]) => any;
    useRef: (...args: any[]) => any;
    useCallback: (...args: any[]) => any;
};
import type { Attachable } from "./uploads.js";
import type { FinishReason } from "./records.js";
import type { Usage } from "./records.js";
import type { Cost } from "./records.js";
import type { PendingAction } from "./records.js";
import type { UploadEvent } from "./uploads.js";
import type { ToolEvent } from "./blocks.js";
import type { FileEvent } from "./uploads.js";
import type { Receipt } from "./records.js";
import type { ToolCall } from "./blocks.js";
import type { FilePart } from "./records.js";
import type { Block } from "./blocks.js";
import type { ToolResult } from "./records.js";
import type { Approval } from "./records.js";
