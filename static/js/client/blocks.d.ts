// Written by `make types` from the JSDoc of client/blocks.js.

/**
 * Return the blocks of a message as the server has it; of one that waits, with what for.
 * @param {Pick<Message, "content" | "status"> & { parts?: Message["parts"] }} message
 * @param {readonly PendingAction[]} [pending]
 * @returns {Block[]}
 */
export function blocksOf({ content, parts, status }: Pick<Message, "content" | "status"> & {
    parts?: Message["parts"];
}, pending?: readonly PendingAction[]): Block[];
/**
 * Return the blocks of a reply that waits, each call with what is to be done about it.
 * @param {readonly Block[]} blocks
 * @param {readonly PendingAction[]} pending
 * @returns {Block[]}
 */
export function withActions(blocks: readonly Block[], pending: readonly PendingAction[]): Block[];
/**
 * @param {readonly Block[]} blocks
 * @returns {string}
 */
export function textOf(blocks: readonly Block[]): string;
/**
 * @param {readonly Block[]} blocks
 * @returns {ToolCall[]}
 */
export function callsOf(blocks: readonly Block[]): ToolCall[];
/**
 * @param {readonly Block[]} blocks
 * @returns {FilePart[]}
 */
export function filesOf(blocks: readonly Block[]): FilePart[];
/**
 * Return the part that an upload is of a message.
 * @param {{ id: string } & Partial<Attachment>} attachment
 * @returns {FilePart}
 */
export function partOf({ id, created_at: _, ...figures }: {
    id: string;
} & Partial<Attachment>): FilePart;
/**
 * @param {string} [mediaType]
 * @returns {"image" | "file"}
 */
export function partTypeOf(mediaType?: string): "image" | "file";
/**
 * Return the blocks with a picture that the model made; once, though a run is read from its start
 * again.
 * @param {readonly Block[]} blocks
 * @param {FilePart} file
 * @returns {Block[]}
 */
export function withFile(blocks: readonly Block[], file: FilePart): Block[];
/**
 * Return the blocks with more of a text.
 * @param {readonly Block[]} blocks
 * @param {string} text
 * @returns {Block[]}
 */
export function withText(blocks: readonly Block[], text: string): Block[];
/**
 * Return the blocks with what an event says of a call. Those before `from` were there before the
 * run was read from its start: if it brings a call that is among them, they were its own up to
 * there, and are from then on.
 * @param {readonly Block[]} blocks
 * @param {number} from
 * @param {ToolEvent} event
 * @param {number} now Milliseconds.
 * @returns {{ blocks: Block[], from: number }}
 */
export function withEvent(blocks: readonly Block[], from: number, event: ToolEvent, now: number): {
    blocks: Block[];
    from: number;
};
/**
 * What is known of a call; which fields there are depends on its state (docs/tools.md).
 */
export type CallDetails = {
    /**
     * `client`, `server` or `mcp:<name>`.
     */
    source?: string | undefined;
    input?: Record<string, unknown> | undefined;
    /**
     * Arguments that cannot be read.
     */
    invalid?: string | undefined;
    output?: unknown;
    error?: string | undefined;
    /**
     * Why it was denied.
     */
    reason?: string | undefined;
    sources?: Source[] | undefined;
    /**
     * Whether more of the output comes.
     */
    preliminary?: boolean | undefined;
    /**
     * How long the tool has run.
     */
    duration_s?: number | undefined;
    approval_id?: string | undefined;
    approved?: boolean | undefined;
    answer?: unknown;
    /**
     * Seconds since the epoch.
     */
    expires_at?: number | undefined;
    /**
     * What the tool asks.
     */
    message?: string | undefined;
    /**
     * Of the answer.
     */
    schema?: Record<string, unknown> | undefined;
};
export type CallNames = {
    n: number;
    call_id: string;
    name: string;
};
/**
 * A call has changed.
 */
export type ToolEvent = {
    type: "tool";
    state: ToolState;
    delta?: string;
    seq: number;
} & CallNames & CallDetails;
/**
 * The states of events; and of a reply that waits, the call whose result the client is to bring,
 * and the one that is answered while others are not.
 */
export type CallState = ToolState | "awaiting_result" | "answered";
/**
 * A call of a tool, as far as it has come. Of a reply that waits `action` is what it waits for;
 * `since`, in milliseconds, is when this client saw it run.
 */
export type ToolCall = CallNames & CallDetails & {
    state: CallState;
    action?: PendingAction | null;
    since?: number | null;
};
/**
 * A part of a message: a text, a call, or a picture or file.
 */
export type Block = {
    text: string;
    call?: undefined;
    file?: undefined;
} | {
    call: ToolCall;
    text?: undefined;
    file?: undefined;
} | {
    file: FilePart;
    text?: undefined;
    call?: undefined;
};
import type { Message } from "./records.js";
import type { PendingAction } from "./records.js";
import type { FilePart } from "./records.js";
import type { Attachment } from "./records.js";
import type { Source } from "./records.js";
import type { ToolState } from "./records.js";
