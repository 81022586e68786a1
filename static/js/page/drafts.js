// What was written outlives a reload: what is being written, and what was sent and may not have
// arrived. The latter is kept with its key, so that to send it again is the same message.

import { read, write } from "./storage.js";

const draftKey = (sessionId) => `tandem.draft.${sessionId ?? "new"}`;
const filesKey = (sessionId) => `tandem.attached.${sessionId ?? "new"}`;
const sentKey = (sessionId) => `tandem.sent.${sessionId}`;

export const draftOf = (sessionId) => read("sessionStorage", draftKey(sessionId)) ?? "";
export const keepDraft = (sessionId, text) => write("sessionStorage", draftKey(sessionId), text || null);

/** Put a text before what is being written; return both. */
export function addToDraft(sessionId, text) {
  const both = [text, draftOf(sessionId)].filter(Boolean).join("\n");
  keepDraft(sessionId, both);
  return both;
}

/** The uploads that are attached to it, as parts of a message. */
export const keepDraftFiles = (sessionId, parts) => write("sessionStorage", filesKey(sessionId), parts.length ? JSON.stringify(parts) : null);

export function draftFilesOf(sessionId) {
  const kept = parsed(read("sessionStorage", filesKey(sessionId)));
  return Array.isArray(kept) ? kept.filter((part) => typeof part?.attachment_id === "string") : [];
}

/** `sent` is { text, files, options, at }, `at` its place; null forgets it: the server has it, or it is back where it was written. */
export const keepSent = (sessionId, sent) => write("sessionStorage", sentKey(sessionId), sent && JSON.stringify(sent));

/** Whether what was sent is among the messages: in its place is another one than before, with what it has. */
export function hasArrived({ text, options, at }, messages) {
  const { id, content, parts } = messages[at] ?? {};
  if (!id || id === options.edit || id === options.regenerate) return false;
  const ids = (parts ?? []).map((part) => part.attachment_id).filter(Boolean);
  const isSame = options.attachments ? options.attachments.every((one) => ids.includes(one)) : content === text;
  return Boolean(options.regenerate) || isSame;
}

export function sentOf(sessionId) {
  const sent = parsed(read("sessionStorage", sentKey(sessionId)));
  return sent && { files: [], ...sent };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
