// What the tabs that share a connection say to each other. Nothing runs here, and no page loads it.

/** @import { ErrorDetails } from "../tandem-error.js" */
/** @import { Frame } from "../transports/frames.js" */
/** @import { Leader } from "./leadership.js" */

/**
 * What a tab wants brought: a run beyond entry `after`, or with null the news of all sessions.
 * @typedef {object} Link
 * @property {string} id
 * @property {string | null} runId
 * @property {number} after
 * @property {boolean} reasoning
 */

/**
 * All that a tab wants, and the number of the connection that it distrusts: it brought nothing for
 * too long.
 * @typedef {{ links: Link[], distrusts: number | null }} Demand
 */

/** @typedef {{ type: "demand", from: string } & Demand} Demanded */

/** @typedef {{ kind: "news", type: string, data: string }} NewsFrame */

/** @typedef {Frame | NewsFrame} SharedFrame */

/** @typedef {[string, SharedFrame]} LinkFrame The id of the link comes first. */

/** @typedef {{ code: string, message: string, details: ErrorDetails }} PlainError */

/** @typedef {{ type: "frames", number: number, frames: LinkFrame[] }} Brought */

/**
 * What the leader says to a tab.
 * @typedef {{ type: "heard" } | { type: "alive", ping: boolean, number: number } | Brought
 *   | { type: "failed", links: string[], error: PlainError }} Answer
 */

/** @typedef {Answer & { leader: Leader | null }} Signed The leader of what term said it. */

/** @typedef {(answer: Answer) => void} Post */

export {};
