// What a watch tells of sessions. Nothing runs here, and no page loads it.

/**
 * @typedef {object} RunStarted
 * @property {"run_started"} type
 * @property {string} runId
 * @property {string} sessionId
 * @property {number} seq
 */

/**
 * @typedef {object} RunEnded
 * @property {"run_ended"} type
 * @property {string} runId
 * @property {string} sessionId
 * @property {number} seq
 * @property {string} status
 */

/**
 * A run waits for results or an approval: its record says for what. It may go on.
 * @typedef {object} RunWaiting
 * @property {"run_waiting"} type
 * @property {string} runId
 * @property {string} sessionId
 * @property {number} seq
 * @property {string} status
 */

/**
 * Another branch is in use.
 * @typedef {object} BranchChanged
 * @property {"branch_changed"} type
 * @property {string} sessionId
 * @property {string} leafId Its last message.
 */

/**
 * The session is gone. Nothing comes after it.
 * @typedef {object} SessionDeleted
 * @property {"session_deleted"} type
 * @property {string} sessionId
 */

/** @typedef {RunStarted | RunWaiting | RunEnded | BranchChanged | SessionDeleted} SessionEvent */

/**
 * The connection was cut, and is there again: there may be news that were not told.
 * @typedef {{ type: "reconnected" }} Reconnected
 */

/**
 * All of the user's sessions are gone.
 * @typedef {{ type: "session_deleted", sessionId: null }} AllDeleted
 */

/** @typedef {SessionEvent | AllDeleted | Reconnected} NewsEvent */

/**
 * The news of all sessions, until it is closed.
 * @typedef {AsyncIterable<NewsEvent> & { close: () => void }} NewsWatch
 */

/**
 * The events of a session, until it is closed.
 * @typedef {AsyncIterable<SessionEvent> & { close: () => void }} SessionWatch
 */

export {};
