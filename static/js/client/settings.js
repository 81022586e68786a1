// The options' defaults, and the fields of a request that options set.

/** @import { DeliveryOptions, MessageOptions, Retry, RunOptions } from "./types.js" */

/** @typedef {Required<Omit<DeliveryOptions, "retry">> & { retry: Required<Retry> }} Settings */

/** @type {Settings} */
export const DEFAULTS = {
  transport: "sse",
  enableStreaming: true,
  streamingTimeout: 60_000,
  chunkTimeout: 10_000, // two of the server's heartbeats (HEARTBEAT_S)
  heartbeatsCount: true,
  wholeTimeout: 630_000, // the server's own limit of a run (RUN_TIMEOUT_S), and some
  fallbackOnError: true,
  retry: { firstMs: 500, mostMs: 10_000, times: 10 },
};

/** What a message may ask for, by the names of the request's fields. */
const FIELDS = /** @type {const} */ ({
  provider: "provider",
  model: "model",
  system: "system",
  temperature: "temperature",
  maxTokens: "max_tokens",
  reasoning: "reasoning",
  parentId: "parent_id",
  sessionMustExist: "session_must_exist",
  edit: "edit",
  regenerate: "regenerate",
  tools: "tools",
});
const FIELD_NAMES = /** @type {(keyof typeof FIELDS)[]} */ (Object.keys(FIELDS));
const NAMES = /** @type {(keyof Settings)[]} */ (Object.keys(DEFAULTS));

/**
 * Return the settings with those of the options that are given.
 * @param {Settings} base
 * @param {DeliveryOptions} options
 * @returns {Settings}
 */
export function settingsOf(base, options) {
  const given = NAMES.filter((name) => options[name] !== undefined);
  const own = Object.fromEntries(given.map((name) => [name, options[name]]));
  return { ...base, ...own, retry: { ...base.retry, ...options.retry } };
}

/**
 * Return the fields of the request that are asked for.
 * @param {MessageOptions & RunOptions} options
 */
export function fieldsOf(options) {
  const isGiven = (/** @type {keyof typeof FIELDS} */ name) => options[name] != null;
  const isFirst = options.parentId === null; // a message without a parent
  const given = FIELD_NAMES.filter((name) => isGiven(name) || (name === "parentId" && isFirst));
  return Object.fromEntries(given.map((name) => [FIELDS[name], options[name]]));
}
