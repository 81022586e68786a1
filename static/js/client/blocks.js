// What a message is made of, in its order: texts, calls of tools, pictures and files. Pure; a block
// is never changed, another one takes its place.

/** @import { Attachment, FilePart, Message, PendingAction, Source } from "./records.js" */
/** @import { ToolState } from "./records.js" */

/**
 * What is known of a call; which fields there are depends on its state (docs/tools.md).
 * @typedef {object} CallDetails
 * @property {string} [source] `client`, `server` or `mcp:<name>`.
 * @property {Record<string, unknown>} [input]
 * @property {string} [invalid] Arguments that cannot be read.
 * @property {unknown} [output]
 * @property {string} [error]
 * @property {string} [reason] Why it was denied.
 * @property {Source[]} [sources]
 * @property {boolean} [preliminary] Whether more of the output comes.
 * @property {number} [duration_s] How long the tool has run.
 * @property {string} [approval_id]
 * @property {boolean} [approved]
 * @property {unknown} [answer]
 * @property {number} [expires_at] Seconds since the epoch.
 * @property {string} [message] What the tool asks.
 * @property {Record<string, unknown>} [schema] Of the answer.
 */

/** @typedef {{ n: number, call_id: string, name: string }} CallNames */

/**
 * A call has changed.
 * @typedef {{ type: "tool", state: ToolState, delta?: string, seq: number } & CallNames
 *   & CallDetails} ToolEvent
 */

/**
 * The states of events; and of a reply that waits, the call whose result the client is to bring,
 * and the one that is answered while others are not.
 * @typedef {ToolState | "awaiting_result" | "answered"} CallState
 */

/**
 * A call of a tool, as far as it has come. Of a reply that waits `action` is what it waits for;
 * `since`, in milliseconds, is when this client saw it run.
 * @typedef {CallNames & CallDetails & { state: CallState, action?: PendingAction | null,
 *   since?: number | null }} ToolCall
 */

/**
 * A part of a message: a text, a call, or a picture or file.
 * @typedef {{ text: string, call?: undefined, file?: undefined }
 *   | { call: ToolCall, text?: undefined, file?: undefined }
 *   | { file: FilePart, text?: undefined, call?: undefined }} Block
 */

const ENDED = new Set(["done", "failed", "denied", "stopped", "unknown", "invalid"]);
const ENDS = /** @type {const} */ (["denied", "stopped", "unknown"]); // where no tool has answered

/**
 * Return the blocks of a message as the server has it; of one that waits, with what for.
 * @param {Pick<Message, "content" | "status"> & { parts?: Message["parts"] }} message
 * @param {readonly PendingAction[]} [pending]
 * @returns {Block[]}
 */
export function blocksOf({ content, parts, status }, pending = []) {
  if (!parts) return content ? [{ text: content }] : [];
  const blocks = parts.reduce(withPart, /** @type {Block[]} */ ([]));
  return status === "requires_action" ? withActions(blocks, pending) : blocks;
}

/**
 * Return the blocks of a reply that waits, each call with what is to be done about it.
 * @param {readonly Block[]} blocks
 * @param {readonly PendingAction[]} pending
 * @returns {Block[]}
 */
export function withActions(blocks, pending) {
  return blocks.map((block) => {
    const { call } = block;
    if (!call || ENDED.has(call.state)) return block;
    const action = pending.find((one) => one.n === call.n && one.call_id === call.call_id) ?? null;
    return { call: { ...call, state: waitingState(action), action } };
  });
}

/**
 * @param {readonly Block[]} blocks
 * @returns {string}
 */
export function textOf(blocks) {
  // Joined anew it would be copied each time.
  return blocks.reduce((all, { text }) => (text ? all + text : all), "");
}

/**
 * @param {readonly Block[]} blocks
 * @returns {ToolCall[]}
 */
export function callsOf(blocks) {
  return blocks.flatMap(({ call }) => (call ? [call] : []));
}

/**
 * @param {readonly Block[]} blocks
 * @returns {FilePart[]}
 */
export function filesOf(blocks) {
  return blocks.flatMap(({ file }) => (file ? [file] : []));
}

/**
 * Return the part that an upload is of a message.
 * @param {{ id: string } & Partial<Attachment>} attachment
 * @returns {FilePart}
 */
export function partOf({ id, created_at: _, ...figures }) {
  return { type: partTypeOf(figures.media_type), attachment_id: id, ...figures };
}

/**
 * @param {string} [mediaType]
 * @returns {"image" | "file"}
 */
export function partTypeOf(mediaType = "") {
  return mediaType.startsWith("image/") ? "image" : "file";
}

/**
 * Return the blocks with a picture that the model made; once, though a run is read from its start
 * again.
 * @param {readonly Block[]} blocks
 * @param {FilePart} file
 * @returns {Block[]}
 */
export function withFile(blocks, file) {
  const known = filesOf(blocks).some((one) => one.attachment_id === file.attachment_id);
  return known ? [...blocks] : [...blocks, { file }];
}

/**
 * Return the blocks with more of a text.
 * @param {readonly Block[]} blocks
 * @param {string} text
 * @returns {Block[]}
 */
export function withText(blocks, text) {
  const last = blocks.at(-1);
  if (last?.text !== undefined) return [...blocks.slice(0, -1), { text: last.text + text }];
  return text ? [...blocks, { text }] : [...blocks];
}

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
export function withEvent(blocks, from, event, now) {
  const at = blocks.findLastIndex(({ call }, place) => place >= from && call?.n === event.n);
  if (at >= 0) return { blocks: put(blocks, at, changed(blocks[at].call, event, now)), from };
  const known = blocks.findIndex(({ call }) => call?.call_id === event.call_id);
  const before = known < 0 ? blocks : blocks.slice(0, known);
  return {
    blocks: [...before, { call: changed(undefined, event, now) }],
    from: known < 0 ? from : known,
  };
}

/**
 * @param {readonly Block[]} blocks
 * @param {number} at
 * @param {ToolCall} call
 * @returns {Block[]}
 */
function put(blocks, at, call) {
  return [...blocks.slice(0, at), { call }, ...blocks.slice(at + 1)];
}

/**
 * @param {PendingAction | null} action
 * @returns {CallState}
 */
function waitingState(action) {
  if (!action) return "answered";
  return action.kind === "result" ? "awaiting_result" : "awaiting_approval";
}

/**
 * @param {Block[]} blocks
 * @param {any} part
 * @returns {Block[]}
 */
function withPart(blocks, part) {
  const { type, ...data } = part;
  if (type === "text") return withText(blocks, data.text);
  if (type === "image" || type === "file") return [...blocks, { file: part }];
  if (type === "tool_call") {
    return [...blocks, { call: { ...data, state: "invalid" in data ? "invalid" : "ready" } }];
  }
  if (type !== "tool_result") return blocks;
  const { n, call_id: id } = data;
  const at = blocks.findLastIndex(({ call }) => call?.n === n && call?.call_id === id);
  const call = blocks[at]?.call;
  if (!call) return blocks;
  const state = call.state === "invalid" ? "invalid" : stateOf(data);
  return put(blocks, at, { ...call, ...data, state });
}

/**
 * @param {Record<string, unknown>} result
 * @returns {CallState}
 */
function stateOf(result) {
  if ("output" in result) return "done";
  return ENDS.find((state) => state in result) ?? "failed";
}

/**
 * @param {ToolCall | undefined} call
 * @param {ToolEvent} event
 * @param {number} now
 * @returns {ToolCall}
 */
function changed(call, { type, seq, delta, ...told }, now) {
  if (call?.state === "invalid" && told.state === "failed") return { ...call, error: told.error };
  const ran = call?.state === "running" ? call.since : now;
  // An output that came before, or what was asked, is not what there is now.
  const gone = { output: undefined, error: undefined, message: undefined, schema: undefined };
  const since = told.state === "running" ? ran : null;
  return { ...call, ...gone, action: null, preliminary: false, ...told, since };
}
