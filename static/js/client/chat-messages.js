// Messages as the hook shows them.

import { blocksOf, callsOf, filesOf, partOf, partTypeOf, textOf, withActions } from "./blocks.js";

/** @import { Block } from "./blocks.js" */
/** @import { Attachment, FilePart, Message, PendingAction } from "./records.js" */
/** @import { ChatMessage, Whole } from "./types.js" */
/** @import { Attachable } from "./uploads.js" */

let made = 0;

/**
 * @param {ChatMessage["role"]} role
 * @param {string} [content]
 * @returns {ChatMessage}
 */
export function newMessage(role, content = "") {
  made += 1;
  const timestamp = new Date().toISOString();
  const blocks = content ? [{ text: content }] : [];
  const rest = { calls: [], files: [], blocks, runId: null };
  return { id: `local-${made}`, role, content, status: "completed", timestamp, ...rest };
}

/**
 * @param {Message} message
 * @param {readonly PendingAction[]} pending
 * @returns {ChatMessage}
 */
export function shown(message, pending) {
  const { id, role, content, status, timestamp, run_id: runId } = message;
  const blocks = blocksOf(message, pending);
  const parts = { calls: callsOf(blocks), files: filesOf(blocks), blocks };
  return { id, role, content, status, timestamp, ...parts, runId };
}

/**
 * @param {ChatMessage} message
 * @param {readonly Block[]} blocks
 * @returns {ChatMessage}
 */
export function said(message, blocks) {
  const parts = { calls: callsOf(blocks), files: filesOf(blocks), blocks };
  return { ...message, content: textOf(blocks), ...parts };
}

/**
 * A user's message as it is sent.
 * @param {string} prompt
 * @param {readonly Attachable[]} attachments
 */
export function asked(prompt, attachments) {
  const message = newMessage("user", prompt);
  return said(message, [...message.blocks, ...attachments.map((one) => ({ file: fileOf(one) }))]);
}

/**
 * @param {ChatMessage} message
 * @param {number} index Of its files, the one that is uploaded.
 * @param {Attachment} attachment
 */
export function uploaded(message, index, attachment) {
  const files = message.files.map((one, at) => (at === index ? partOf(attachment) : one));
  const texts = message.blocks.filter(({ file }) => !file);
  return said(message, [...texts, ...files.map((file) => ({ file }))]);
}

/**
 * @param {Attachable} attachable
 * @returns {FilePart}
 */
function fileOf(attachable) {
  if (typeof attachable === "string") return { type: "file", attachment_id: attachable };
  if (!(attachable instanceof Blob)) return partOf(attachable);
  const { size: bytes, type: mediaType } = attachable;
  const name = "name" in attachable ? attachable.name : undefined;
  return { type: partTypeOf(mediaType), name, media_type: mediaType, bytes };
}

/**
 * @param {ChatMessage} answer
 * @param {Whole} whole
 * @returns {ChatMessage}
 */
export function ended(answer, { runId, finishReason, requiresAction }) {
  const message = { ...answer, runId };
  if (!requiresAction) {
    return { ...message, status: finishReason === "stopped" ? "stopped" : "completed" };
  }
  const waiting = said(message, withActions(answer.blocks, requiresAction));
  return { ...waiting, status: "requires_action" };
}
