// What was written outlives a reload: what is being written, and what was sent and may not have
// arrived. The latter is kept with its key, so that to send it again is the same message.

import { read, write } from "./storage.js";

const draftKey = (sessionId) => `tandem.draft.${sessionId ?? "new"}`;
const sentKey = (sessionId) => `tandem.sent.${sessionId}`;

export const draftOf = (sessionId) => read("sessionStorage", draftKey(sessionId)) ?? "";
export const keepDraft = (sessionId, text) => write("sessionStorage", draftKey(sessionId), text || null);

/** Put a text before what is being written; return both. */
export function addToDraft(sessionId, text) {
  const both = [text, draftOf(sessionId)].filter(Boolean).join("\n");
  keepDraft(sessionId, both);
  return both;
}

/** `sent` is { text, options, at }, `at` its place; null forgets it: the server has it, or it is back where it was written. */
export const keepSent = (sessionId, sent) => write("sessionStorage", sentKey(sessionId), sent && JSON.stringify(sent));

/** Whether what was sent is among the messages: in its place is another one than before, with its text. */
export function hasArrived({ text, options, at }, messages) {
  const { id, content } = messages[at] ?? {};
  if (!id || id === options.edit || id === options.regenerate) return false;
  return Boolean(options.regenerate) || content === text;
}

export function sentOf(sessionId) {
  try {
    return JSON.parse(read("sessionStorage", sentKey(sessionId)));
  } catch {
    return null;
  }
}
