// Written by `make types` from the JSDoc of client/news.js.

export type RunStarted = {
    type: "run_started";
    runId: string;
    sessionId: string;
    seq: number;
};
export type RunEnded = {
    type: "run_ended";
    runId: string;
    sessionId: string;
    seq: number;
    status: string;
};
/**
 * A run waits for results or an approval: its record says for what. It may go on.
 */
export type RunWaiting = {
    type: "run_waiting";
    runId: string;
    sessionId: string;
    seq: number;
    status: string;
};
/**
 * Another branch is in use.
 */
export type BranchChanged = {
    type: "branch_changed";
    sessionId: string;
    /**
     * Its last message.
     */
    leafId: string;
};
/**
 * The session is gone. Nothing comes after it.
 */
export type SessionDeleted = {
    type: "session_deleted";
    sessionId: string;
};
export type SessionEvent = RunStarted | RunWaiting | RunEnded | BranchChanged | SessionDeleted;
/**
 * The connection was cut, and is there again: there may be news that were not told.
 */
export type Reconnected = {
    type: "reconnected";
};
/**
 * All of the user's sessions are gone.
 */
export type AllDeleted = {
    type: "session_deleted";
    sessionId: null;
};
export type NewsEvent = SessionEvent | AllDeleted | Reconnected;
/**
 * The news of all sessions, until it is closed.
 */
export type NewsWatch = AsyncIterable<NewsEvent> & {
    close: () => void;
};
/**
 * The events of a session, until it is closed.
 */
export type SessionWatch = AsyncIterable<SessionEvent> & {
    close: () => void;
};
