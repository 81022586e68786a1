// What a reply is made of, in its order: texts, and calls of tools. Pure. A block is
// { text } or { call }, and is never changed: what changes is another one.

const OPEN = new Set(["calling", "ready", "running"]);
const ENDED = new Set(["done", "failed", "denied", "stopped", "unknown", "invalid"]);
const ENDS = ["denied", "stopped", "unknown"]; // of a result that is none of the tool's

/** Return the blocks of a message as the server has it; one that waits has `pending`. */
export function blocksOf({ content, parts, pending, status }) {
  if (!parts) return content ? [{ text: content }] : [];
  const blocks = parts.reduce(withPart, []);
  return status === "requires_action" ? withActions(blocks, pending) : blocks;
}

/** Return the blocks of a reply that waits, each call with what is to be done about it. */
export function withActions(blocks, pending = []) {
  return blocks.map((block) => {
    if (!block.call || ENDED.has(block.call.state)) return block;
    const action = pending.find(({ n, call_id: id }) => n === block.call.n && id === block.call.call_id) ?? null;
    const state = !action ? "answered" : action.kind === "result" ? "awaiting_result" : "awaiting_approval";
    return { call: { ...block.call, state, action } };
  });
}

export const textOf = (blocks) => blocks.map(({ text }) => text ?? "").join("");
export const callsOf = (blocks) => blocks.flatMap(({ call }) => (call ? [call] : []));

export function withText(blocks, text) {
  const last = blocks.at(-1);
  if (last?.text === undefined) return text ? [...blocks, { text }] : blocks;
  return [...blocks.slice(0, -1), { text: last.text + text }];
}

/**
 * Return { blocks, from } with what an event says of a call. Blocks before `from` are of what was
 * there before the run is read from its start: if that begins with a call that is among them, they
 * were of the same run, and it takes their place.
 */
export function withEvent(blocks, from, event, now) {
  const at = blocks.findLastIndex(({ call }, place) => place >= from && call?.n === event.n);
  if (at >= 0) return { blocks: blocks.with(at, { call: told(blocks[at].call, event, now) }), from };
  const known = blocks.findIndex(({ call }) => call?.call_id === event.call_id);
  const before = known < 0 ? blocks : blocks.slice(0, known);
  return { blocks: [...before, { call: told({}, event, now) }], from: known < 0 ? from : known };
}

/** What a reply under way does about its calls: { phase, names, since }; null if nothing. */
export function workOf(blocks) {
  const open = callsOf(blocks).filter(({ state }) => OPEN.has(state));
  const running = open.filter(({ state }) => state === "running");
  const names = [...new Set((running.length ? running : open).map(({ name }) => name))];
  if (running.length) return { phase: "tool", names, since: Math.min(...running.map(({ since }) => since)) };
  return open.length ? { phase: "calling", names, since: null } : null;
}

/** Return where the results of calls are from: { url, title }, each once, only what a browser may open. */
export function sourcesOf(blocks) {
  const found = new Map();
  for (const { sources } of callsOf(blocks)) {
    for (const source of Array.isArray(sources) ? sources : []) {
      const url = webAddress(source?.url);
      if (url && !found.has(url.href)) found.set(url.href, { url: url.href, title: titleOf(source, url) });
    }
  }
  return [...found.values()];
}

function titleOf({ title }, url) {
  return typeof title === "string" && title.trim() ? title.trim() : url.host;
}

function webAddress(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

function withPart(blocks, part) {
  if (part.type === "text") return withText(blocks, part.text);
  const { type, ...data } = part;
  if (type === "tool_call") return [...blocks, { call: { ...data, state: "invalid" in data ? "invalid" : "ready" } }];
  if (type !== "tool_result") return blocks;
  const at = blocks.findLastIndex(({ call }) => call?.n === data.n && call.call_id === data.call_id);
  if (at < 0) return blocks;
  const { call } = blocks[at];
  const state = call.state === "invalid" ? "invalid" : stateOf(data);
  return blocks.with(at, { call: { ...call, ...data, state } });
}

function stateOf(result) {
  if ("output" in result) return "done";
  return ENDS.find((state) => state in result) ?? "failed";
}

function told(call, { type, seq, delta, ...event }, now) {
  const { state } = event;
  const since = state === "running" ? (call.state === "running" ? call.since : now) : null;
  // What came before of an output is not what there is now.
  const gone = { output: undefined, error: undefined, action: undefined };
  if (call.state === "invalid" && state === "failed") return { ...call, error: event.error };
  return { ...call, ...gone, ...event, since };
}
