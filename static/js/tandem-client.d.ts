// Types of tandem-client.js. docs/client.md says what each does.

export type TransportName = "sse" | "socket";
export type FinishReason =
  | "stop"
  | "length"
  | "content_filter"
  | "tool_calls"
  | "stopped"
  | "error"
  | "interrupted";

/** How tries are spread: full jitter over `firstMs * 2 ** n`, at most `mostMs`; `times` without anything new. */
export interface Retry {
  firstMs?: number;
  mostMs?: number;
  times?: number;
}

export interface DeliveryOptions {
  transport?: TransportName;
  enableStreaming?: boolean;
  /** Milliseconds till the first piece. */
  streamingTimeout?: number;
  /** Milliseconds without a byte. */
  chunkTimeout?: number;
  /** Milliseconds till a whole answer. */
  wholeTimeout?: number;
  fallbackOnError?: boolean;
  retry?: Retry;
}

/** What is used of Socket.IO's client: the function `io`. */
export type Io = (...args: any[]) => {
  connected: boolean;
  connect(): unknown;
  disconnect(): unknown;
  emit(event: string, ...args: any[]): unknown;
  on(event: string, listener: (...args: any[]) => void): unknown;
  off(event: string, listener?: (...args: any[]) => void): unknown;
};

export interface ClientOptions extends DeliveryOptions {
  baseUrl?: string;
  token?: string;
  /** Asked before each request and each connect. */
  getToken?: () => string | null | undefined | Promise<string | null | undefined>;
  io?: Io;
  fetch?: typeof fetch;
}

export interface FollowOptions extends DeliveryOptions {
  /** The last entry seen; 0, the default, is the start. */
  after?: number;
  sessionId?: string;
  /** Whether a thinking model's thoughts come, as status events. */
  reasoning?: boolean;
  /** Aborting it stops the run. */
  signal?: AbortSignal;
}

export type ContinueOptions = Omit<FollowOptions, "after">;

export interface SendOptions extends DeliveryOptions {
  sessionId?: string;
  provider?: string;
  model?: string;
  system?: string;
  temperature?: number;
  maxTokens?: number;
  reasoning?: boolean;
  /** A user's message of the session: this one stands beside it. */
  edit?: string;
  /** A reply of the session: another one is made beside it. The message given does not count. */
  regenerate?: string;
  /** Aborting it stops the run. */
  signal?: AbortSignal;
  idempotencyKey?: string;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  source: "reported" | "estimated";
}

export interface Cost {
  amount: string;
  currency: string;
  estimated: boolean;
}

export interface Whole {
  text: string;
  runId: string;
  sessionId: string;
  finishReason: FinishReason;
  usage: Usage | null;
  cost: Cost | null;
  provider: string | null;
  model: string | null;
  /** Seconds. */
  duration: number | null;
  ttftMs: number | null;
  seq: number | null;
}

export interface StartEvent {
  type: "start";
  runId: string;
  sessionId: string | null;
}
export interface TextEvent {
  type: "text";
  text: string;
  /** null where the answer came whole. */
  seq: number | null;
}
export interface StatusEvent {
  type: "status";
  status: string;
  ageS: number | null;
  /** What a thinking model thinks, where it was asked for. */
  reasoning?: string;
}
/** The run is taken up again after a cut. */
export interface ResumeEvent {
  type: "resume";
  attempt: number;
  transport: TransportName;
  /** The code of the error before it. */
  reason: string | null;
}
/** The message is sent again, with the same key. */
export interface RetryEvent {
  type: "retry";
  attempt: number;
  transport: TransportName | "whole";
  reason: string | null;
}
export interface WarningEvent {
  type: "warning";
  message: string;
  data: string;
}
export interface EndEvent extends Whole {
  type: "end";
}
export type ReplyEvent =
  | StartEvent
  | TextEvent
  | StatusEvent
  | ResumeEvent
  | RetryEvent
  | WarningEvent
  | EndEvent;

/** What a stop answers, as the server says it. */
export interface Receipt {
  run_id: string;
  session_id: string;
  status: "running" | "completed" | "stopped" | "failed" | "interrupted";
  seq: number;
  upstream_closed: boolean | null;
  stopped_in_ms: number;
  usage: Usage | null;
}

export interface Reply extends AsyncIterable<ReplyEvent> {
  readonly runId: string | null;
  readonly sessionId: string | null;
  /** The text so far. */
  readonly text: string;
  readonly seq: number;
  readonly ended: boolean;
  readonly whole: Promise<Whole>;
  stop(): Promise<Receipt>;
  leave(): void;
}

export interface RunRecord {
  run_id: string;
  session_id: string;
  message_id: string;
  status: "queued" | "running" | "completed" | "stopped" | "failed" | "interrupted";
  provider: string;
  model: string;
  seq: number;
  finish_reason: FinishReason | null;
  error: { code: string; message: string; error_id: string; retryable: boolean } | null;
  usage: Usage | null;
  duration: number | null;
  ttft_ms: number | null;
  created_at: string;
  ended_at: string | null;
}

export interface Session {
  session_id: string;
  messages: number;
  timestamp: string;
  title: string;
  /** The session's own system prompt. */
  system: string | null;
  active_run: { run_id: string; seq: number } | null;
}

export interface Message {
  id: string;
  parent_id: string | null;
  role: "user" | "assistant" | "system";
  content: string;
  status: string;
  run_id: string | null;
  usage: Usage | null;
  timestamp: string;
  /** The messages that hang on the same parent, itself among them, oldest first. */
  siblings: string[];
}

export interface ListOptions {
  limit?: number;
  /** The `next` of the page before. */
  before?: string;
  /** Only those whose title or messages have this text. */
  search?: string;
}

export interface Exported {
  name: string;
  type: string | null;
  text: string;
}

export interface Models {
  default: string;
  providers: { name: string; model: string | null; ready: boolean; missing: string | null }[];
}

export interface Used {
  runs: number;
  input_tokens: number;
  output_tokens: number;
  source: "reported" | "estimated" | null;
  cost: Cost | null;
}

export interface UsageReport {
  user?: string;
  session_id?: string;
  total: Used;
  models: (Used & { provider: string; model: string })[];
  days?: { day: string; total: Used; models: (Used & { provider: string; model: string })[] }[];
}

export interface Sessions {
  list(options?: ListOptions): Promise<Session[]>;
  /** One page of the list; `next` is the `before` of the next one. */
  page(options?: ListOptions): Promise<{ sessions: Session[]; next: string | null }>;
  create(sessionId?: string, options?: { system?: string }): Promise<Session>;
  get(sessionId: string): Promise<Session>;
  messages(sessionId: string): Promise<Message[]>;
  update(sessionId: string, change: { title?: string; system?: string }): Promise<Session>;
  /** Use the branch that a message is on; its messages. */
  branch(sessionId: string, messageId: string): Promise<Message[]>;
  export(sessionId: string, format?: "json" | "markdown"): Promise<Exported>;
  deleteAll(): Promise<{ success: boolean; deleted: number }>;
  delete(sessionId: string): Promise<{ success: boolean; message: string }>;
}

export type SessionEvent =
  | { type: "run_started"; runId: string; sessionId: string; seq: number }
  | { type: "run_ended"; runId: string; sessionId: string; seq: number; status: string };

export interface SessionWatch extends AsyncIterable<SessionEvent> {
  close(): void;
}

export class TandemClient {
  constructor(options?: ClientOptions);
  readonly sessions: Sessions;
  send(message: string, options?: SendOptions): Reply;
  follow(runId: string, options?: FollowOptions): Reply;
  continue(runId: string, options?: ContinueOptions): Reply;
  models(): Promise<Models>;
  usage(options?: { sessionId?: string; days?: number }): Promise<UsageReport>;
  watchSession(sessionId: string, options?: Pick<DeliveryOptions, "chunkTimeout" | "retry">): SessionWatch;
  replyOf(sessionId: string): Reply | undefined;
  run(runId: string): Promise<RunRecord>;
  stop(runId: string): Promise<Receipt>;
  close(): void;
}

export class TandemError extends Error {
  constructor(code: string, message?: string, details?: Partial<Omit<TandemError, keyof Error | "code">>);
  /** The server's code, or one of the client's own: network, chunk_timeout, streaming_timeout, ... */
  readonly code: string;
  /** HTTP status, if it came as one. */
  readonly status: number | null;
  readonly errorId: string | null;
  readonly retryable: boolean;
  readonly retryAfterS: number | null;
  readonly fields: Record<string, string> | null;
  readonly runId: string | null;
  readonly sessionId: string | null;
  readonly finishReason: FinishReason | null;
  /** What of the reply had come. */
  readonly text: string;
}

export interface SseEvent {
  type: string;
  data: string;
  lastEventId: string;
}

export interface SseHandlers {
  onEvent?: (event: SseEvent) => void;
  onComment?: (text: string) => void;
  onRetry?: (ms: number) => void;
}

export interface SseParser {
  feed(chunk: string | Uint8Array): void;
  end(): void;
}

export function createSseParser(handlers?: SseHandlers): SseParser;
export function randomId(): string;
