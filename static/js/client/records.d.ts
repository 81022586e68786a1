// Written by `make types` from the JSDoc of client/records.js.

export type FinishReason = "stop" | "length" | "content_filter" | "tool_calls" | "stopped" | "error" | "interrupted" | "requires_action";
export type Usage = {
    input_tokens: number;
    output_tokens: number;
    source: "reported" | "estimated";
};
export type Cost = {
    amount: string;
    currency: string;
    estimated: boolean;
};
/**
 * What a stop answers.
 */
export type Receipt = {
    run_id: string;
    session_id: string;
    status: "running" | "completed" | "stopped" | "failed" | "interrupted";
    seq: number;
    upstream_closed: boolean | null;
    stopped_in_ms: number;
    usage: Usage | null;
};
/**
 * Why a run failed.
 */
export type RunError = {
    code: string;
    message: string;
    error_id: string;
    retryable: boolean;
};
export type RunRecord = {
    run_id: string;
    session_id: string;
    message_id: string;
    status: "queued" | "running" | "completed" | "stopped" | "failed" | "interrupted";
    provider: string;
    model: string;
    seq: number;
    finish_reason: FinishReason | null;
    error: RunError | null;
    usage: Usage | null;
    /**
     * Seconds.
     */
    duration: number | null;
    ttft_ms: number | null;
    created_at: string;
    ended_at: string | null;
};
/**
 * The reply under way; of one that waits, for what.
 */
export type ActiveRun = {
    run_id: string;
    seq: number;
    status: string;
    pending: PendingAction[];
};
export type Session = {
    session_id: string;
    messages: number;
    timestamp: string;
    title: string;
    /**
     * The session's own system prompt.
     */
    system: string | null;
    active_run: ActiveRun | null;
};
export type SessionChange = {
    title?: string;
    system?: string;
};
/**
 * What an upload is to the server.
 */
export type Attachment = {
    id: string;
    name: string;
    /**
     * What its bytes are, whatever they were called.
     */
    media_type: string;
    bytes: number;
    sha256: string;
    width?: number | undefined;
    height?: number | undefined;
    pages?: number | undefined;
    created_at: string;
};
/**
 * A picture or a file of a message, with what is known of it.
 */
export type FilePart = {
    type: "image" | "file";
    /**
     * Not of a picture that is named by its address.
     */
    attachment_id?: string | undefined;
    url?: string | undefined;
    name?: string | undefined;
    media_type?: string | undefined;
    bytes?: number | undefined;
    width?: number | undefined;
    height?: number | undefined;
    pages?: number | undefined;
};
export type Message = {
    id: string;
    parent_id: string | null;
    role: "user" | "assistant" | "system";
    content: string;
    /**
     * All of it, where it has more than text.
     */
    parts?: Record<string, unknown>[] | undefined;
    status: string;
    run_id: string | null;
    usage: Usage | null;
    timestamp: string;
    /**
     * The messages that hang on the same parent, itself among them,
     * oldest first.
     */
    siblings: string[];
};
export type ListOptions = {
    limit?: number | undefined;
    /**
     * The `next` of the page before.
     */
    before?: string | undefined;
    /**
     * Only those whose title or messages have this text.
     */
    search?: string | undefined;
    /**
     * Aborting it gives up the search, at the server too.
     */
    signal?: AbortSignal | undefined;
};
/**
 * A conversation as a file.
 */
export type Exported = {
    name: string;
    type: string | null;
    text: string;
};
export type ModelRow = {
    name: string;
    model: string | null;
    /**
     * Its own first, then those that its server lists.
     */
    models: string[];
    ready: boolean;
    /**
     * The setting that it lacks.
     */
    missing: string | null;
};
export type Models = {
    default: string;
    providers: ModelRow[];
};
export type Used = {
    runs: number;
    input_tokens: number;
    output_tokens: number;
    source: "reported" | "estimated" | null;
    cost: Cost | null;
};
export type ModelUsed = Used & {
    provider: string;
    model: string;
};
export type DayUsed = {
    day: string;
    total: Used;
    models: ModelUsed[];
};
export type UsageReport = {
    user?: string | undefined;
    session_id?: string | undefined;
    total: Used;
    models: ModelUsed[];
    days?: DayUsed[] | undefined;
};
export type ToolState = "calling" | "ready" | "invalid" | "awaiting_approval" | "running" | "done" | "failed" | "denied" | "stopped" | "unknown";
export type Source = {
    url: string;
    title?: string;
};
/**
 * What a run waits for. `question` has a message, and the schema of its answer.
 */
export type PendingAction = {
    n: number;
    call_id: string;
    name: string;
    input: Record<string, unknown>;
    kind: "result" | "approval" | "question";
    /**
     * Seconds since the epoch.
     */
    expires_at: number;
    approval_id?: string | undefined;
    message?: string | undefined;
    schema?: Record<string, unknown> | undefined;
};
/**
 * How a run is after an answer; a reply that goes on is followed from `seq` on. `answers` are those
 * that count: the first that came.
 */
export type AnswersTaken = {
    run_id: string;
    session_id: string;
    status: string;
    seq: number;
    answers: Record<string, unknown>[];
};
/**
 * A tool that the server runs.
 */
export type ToolRecord = {
    name: string;
    description: string;
    /**
     * A JSON schema.
     */
    parameters: Record<string, unknown>;
    approval: "never" | "always" | "sometimes";
    source: string;
};
export type ToolResult = {
    call_id: string;
    output?: unknown;
    error?: string;
};
export type Approval = {
    approved: boolean;
    reason?: string;
    answer?: unknown;
};
/**
 * The routes of tools, and of what replies wait for. Each call throws TandemError.
 */
export type Tools = {
    list: () => Promise<ToolRecord[]>;
    addResults: (runId: string, results: ToolResult[]) => Promise<AnswersTaken>;
    approve: (runId: string, id: string, answer: Approval) => Promise<AnswersTaken>;
};
/**
 * The routes of conversations. Each call throws TandemError.
 */
export type Sessions = {
    list: (options?: ListOptions) => Promise<Session[]>;
    /**
     *   One page of the list; `next` is the `before` of the next one.
     */
    page: (options?: ListOptions) => Promise<{
        sessions: Session[];
        next: string | null;
    }>;
    create: (sessionId?: string, options?: {
        system?: string;
    }) => Promise<Session>;
    get: (sessionId: string) => Promise<Session>;
    messages: (sessionId: string) => Promise<Message[]>;
    /**
     *   What is not given stays.
     */
    update: (sessionId: string, change: SessionChange) => Promise<Session>;
    /**
     *   Use the branch that a message is on; its messages.
     */
    branch: (sessionId: string, messageId: string) => Promise<Message[]>;
    export: (sessionId: string, format?: "json" | "markdown") => Promise<Exported>;
    delete: (sessionId: string) => Promise<{
        success: boolean;
        message: string;
    }>;
    deleteAll: () => Promise<{
        success: boolean;
        deleted: number;
    }>;
};
