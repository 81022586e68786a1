// Conversations by their number: the one numbering that the hook and `POST /chat` have.

/** @import { ConversationId } from "./types.js" */

/**
 * Return the id of the session: a number is one that `POST /chat` gives its conversations.
 * @param {ConversationId} id
 */
export function sessionIdOf(id) {
  return typeof id === "number" ? `conversation:${id}` : id;
}
