// What was written outlives a reload: what is being written, and what was sent and may not have
// arrived. The latter is kept with its key, so that to send it again is the same message.

import { read, write } from "./preferences.js";

const draftKey = (sessionId) => `tandem.draft.${sessionId ?? "new"}`;
const sentKey = (sessionId) => `tandem.sent.${sessionId}`;

export const draftOf = (sessionId) => read(sessionStorage, draftKey(sessionId)) ?? "";
export const keepDraft = (sessionId, text) => write(sessionStorage, draftKey(sessionId), text || null);

/** `sent` is { text, options }; null forgets it: the server has it, or it is back where it was written. */
export const keepSent = (sessionId, sent) => write(sessionStorage, sentKey(sessionId), sent && JSON.stringify(sent));

export function sentOf(sessionId) {
  try {
    return JSON.parse(read(sessionStorage, sentKey(sessionId)));
  } catch {
    return null;
  }
}
