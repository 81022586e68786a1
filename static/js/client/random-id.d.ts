// Written by `make types` from the JSDoc of client/random-id.js.

/** Return an id that nobody can guess; crypto.randomUUID is there on https and localhost only. */
export function randomId(): string;
