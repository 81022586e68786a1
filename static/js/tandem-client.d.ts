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
  /** Aborting it stops the run. */
  signal?: AbortSignal;
}

export interface SendOptions extends DeliveryOptions {
  sessionId?: string;
  provider?: string;
  model?: string;
  system?: string;
  temperature?: number;
  maxTokens?: number;
  /** Aborting it stops the run. */
  signal?: AbortSignal;
  idempotencyKey?: string;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  source: "reported" | "estimated";
}

export interface Whole {
  text: string;
  runId: string;
  sessionId: string;
  finishReason: FinishReason;
  usage: Usage | null;
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
}
/** The run is taken up again after a cut. */
export interface ResumeEvent {
  type: "resume";
  attempt: number;
  transport: TransportName;
}
/** The message is sent again, with the same key. */
export interface RetryEvent {
  type: "retry";
  attempt: number;
  transport: TransportName | "whole";
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
}

export interface Sessions {
  list(): Promise<Session[]>;
  create(sessionId?: string): Promise<Session>;
  get(sessionId: string): Promise<Session>;
  messages(sessionId: string): Promise<Message[]>;
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
