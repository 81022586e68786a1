// Errors on their way to another tab.

import { TandemError } from "../tandem-error.js";

/** @import { PlainError } from "./messages.js" */

/**
 * Return an error as a plain object: of others only the message would arrive.
 * @param {unknown} error
 * @returns {PlainError}
 */
export function toPlain(error) {
  const known = error instanceof TandemError ? error : new TandemError("network");
  const { name, code, ...details } = known;
  return { code, message: known.message, details: { ...details, cause: undefined } };
}

/** @param {PlainError} plain */
export function fromPlain({ code, message, details }) {
  return new TandemError(code, message, details);
}
