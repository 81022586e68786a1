// Written by `make types` from the JSDoc of use-chat.js.

/**
 * Return the hook `useChat(conversationId?)`.
 * @param {ReactHooks} React
 * @param {Pick<TandemClient, "send" | "follow" | "sessions">
 *   & Partial<Pick<TandemClient, "tools">>} client
 * @returns {UseChat}
 */
export function createUseChat(React: ReactHooks, client: Pick<TandemClient, "send" | "follow" | "sessions"> & Partial<Pick<TandemClient, "tools">>): UseChat;
export type ChatMessage = import("./client/types.js").ChatMessage;
export type ChatState = import("./client/types.js").ChatState;
export type Block = import("./client/blocks.js").Block;
export type ToolCall = import("./client/blocks.js").ToolCall;
export type ConversationId = import("./client/types.js").ConversationId;
export type UseChat = import("./client/types.js").UseChat;
export type ReactHooks = import("./client/types.js").ReactHooks;
export type Chat<Id extends ConversationId = import("./client/types.js").ConversationId> = import("./client/types.js").Chat<Id>;
import type { TandemClient } from "./tandem-client.js";
