// The state of the page at its start, and small questions about it.

import { blocksOf, filesOf } from "./blocks.js";

export function initialState(preferences) {
  return {
    preferences,
    models: null, // the answer of /api/models
    tools: null, // those that the server offers
    signedIn: false, // a token is kept
    login: null, // "needed", "wrong" or "expired": the dialog is open

    sessions: [],
    next: null, // the cursor of the list's next page
    listing: "loading", // "ready", "failed"
    search: "",
    renaming: null, // a session's id

    sessionId: null, // null: a chat that has not begun
    session: null, // what the server says of it
    systemDraft: "", // of a chat that has not begun
    messages: [],
    loading: false,
    editing: null, // a message's key
    live: null, // the reply under way: see live-reply.js
    meter: null, // figures of the newest reply: see meter.js
    usage: null, // of the conversation

    problem: null, // { text, errorId, retry }
    offline: false, // the server cannot be reached, and the browser says why
    heldBack: false,
    attached: {}, // to what is being written, by its place: see attachments.js
    attachNote: null, // why something is not
    sendWaits: null, // the place whose message is sent once its uploads are done
    draft: "", // put into the composer when it changes by hand of the page
    sidebarOpen: false,
    panelOpen: preferences.panel,
  };
}

export function titleOf(session, strings) {
  return session?.title || strings.untitled;
}

/** The name of a conversation among those that are written in; a new chat has one, too. */
export const placeOf = (sessionId) => sessionId ?? "new";

const NONE = [];

/** What is attached to the message that is written in a conversation. */
export const attachedTo = ({ attached }, sessionId) => attached[placeOf(sessionId)] ?? NONE;

const CUT = new Set(["failed", "interrupted"]);

/** Give messages their keys: those that are shown keep theirs, so that they are not drawn again. */
export function keyed(messages, before) {
  return messages.map((message, at) => {
    const known = before.find((one) => one.id === message.id);
    const local = before[at]?.id === null && before[at].role === message.role ? before[at] : null;
    const same = known ?? local;
    const error = CUT.has(message.status) ? same?.error : null;
    return { ...message, key: same?.key ?? message.id, error: error ?? null, ...endKept(same, message) };
  });
}

/** What only the end of the run that was followed has told. */
function endKept(same, { run_id }) {
  if (!same || same.run_id !== run_id) return {};
  return { finishReason: same.finishReason, leftOut: same.leftOut };
}

/** Give the message whose reply waits what that is for. */
export function withPending(messages, session) {
  const active = session?.active_run;
  return messages.map((one) => (one.status === "requires_action" && one.run_id === active?.run_id ? { ...one, pending: active.pending } : one));
}

/** Return the messages before one; all where none is named. */
export function keptBefore(messages, message) {
  return message ? messages.slice(0, messages.findIndex((one) => one.key === message.key)) : messages;
}

const known = new WeakMap(); // of messages, which are not changed

/** Return what a message is made of: as it came, or as the server has it. */
export function shownBlocks(message) {
  if (message.blocks) return message.blocks;
  if (!known.has(message)) known.set(message, blocksOf(message, message.pending));
  return known.get(message);
}

/** Return the pictures and files of a message. */
export const filesIn = (message) => filesOf(shownBlocks(message));

/** The option of a message that names its files. */
export const namesOf = ({ files }) => (files.length ? { attachments: files.map((part) => part.attachment_id) } : {});

let made = 0;

/** Return a message that the server has not listed yet. */
export function localMessage(role, content, more = {}) {
  made += 1;
  const own = { key: `local-${made}`, id: null, role, content, error: null, siblings: [], usage: null, run_id: null };
  return { ...own, status: role === "user" ? "completed" : "running", timestamp: new Date().toISOString(), ...more };
}

/** Return a message of the user's, { text, files }, that is not listed yet. */
export function askedMessage({ text, files }, more = {}) {
  const parts = [...(text ? [{ type: "text", text }] : []), ...files];
  return localMessage("user", text, { ...more, ...(files.length && { parts }) });
}
