// Messages as the hook shows them.

import { blocksOf, callsOf, textOf, withActions } from "./blocks.js";

/** @import { Block } from "./blocks.js" */
/** @import { Message, PendingAction } from "./records.js" */
/** @import { ChatMessage, Whole } from "./types.js" */

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
  const rest = { calls: [], blocks, runId: null };
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
  return { id, role, content, status, timestamp, calls: callsOf(blocks), blocks, runId };
}

/**
 * @param {ChatMessage} message
 * @param {readonly Block[]} blocks
 * @returns {ChatMessage}
 */
export function said(message, blocks) {
  return { ...message, content: textOf(blocks), calls: callsOf(blocks), blocks };
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
