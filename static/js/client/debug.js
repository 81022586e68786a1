// What the option `debug` has the client say to console.debug: what it sends, and when it tries
// again. Never what a user or a model has said.

/** @typedef {(what: string, details?: object) => void} Say */

/** Fields that are shown as they are; of any other text only its length is. */
const SHOWN = new Set([
  "idempotency_key", "session_id", "run_id", "message_id", "edit", "regenerate",
  "provider", "model", "on_disconnect",
]);

/**
 * @param {boolean} [debug]
 * @returns {Say}
 */
export function sayer(debug = false) {
  if (!debug) return () => {};
  return (what, details = {}) => console.debug(`tandem: ${what}`, details);
}

/**
 * Return the fields of a body, without what was said in them.
 * @param {unknown} body
 * @returns {Record<string, unknown>}
 */
export function withoutTexts(body) {
  if (typeof body !== "object" || body === null) return {};
  const entries = Object.entries(body);
  return Object.fromEntries(entries.map(([name, value]) => [name, shown(name, value)]));
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function shown(name, value) {
  if (SHOWN.has(name) || typeof value === "number" || typeof value === "boolean") return value;
  return typeof value === "string" ? `${value.length} characters` : typeof value;
}
