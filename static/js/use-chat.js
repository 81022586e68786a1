// The React hook: a conversation as state. React and the client are passed in:
//   export const useChat = createUseChat(React, new TandemClient());
// docs/client.md says what each of its names does.

import { Conversation } from "./client/conversation.js";
import { randomId } from "./client/random-id.js";
import { TandemError } from "./client/tandem-error.js";

/** @import { TandemClient } from "./tandem-client.js" */

/**
 * @typedef {import("./client/types.js").ChatMessage} ChatMessage
 * @typedef {import("./client/types.js").ChatState} ChatState
 * @typedef {import("./client/blocks.js").Block} Block
 * @typedef {import("./client/blocks.js").ToolCall} ToolCall
 * @typedef {import("./client/types.js").ConversationId} ConversationId
 * @typedef {import("./client/types.js").UseChat} UseChat
 * @typedef {import("./client/types.js").ReactHooks} ReactHooks
 */

/**
 * @template {ConversationId} [Id=ConversationId]
 * @typedef {import("./client/types.js").Chat<Id>} Chat
 */

/**
 * Return the hook `useChat(conversationId?)`.
 * @param {ReactHooks} React
 * @param {Pick<TandemClient, "send" | "follow" | "sessions">
 *   & Partial<Pick<TandemClient, "tools">>} client
 * @returns {UseChat}
 */
export function createUseChat(React, client) {
  const { useCallback, useEffect, useRef, useState } = React;

  /**
   * @param {ConversationId | null} [conversationId]
   * @returns {Chat<any>}
   */
  return function useChat(conversationId = null) {
    const [state, setState] = useState(() => Conversation.empty);
    /** @type {{ current: Conversation | null }} */
    const current = useRef(null); // the Conversation that is shown, while mounted

    useEffect(() => {
      // The id that the first message made may come back as the parameter: nothing changes then.
      if (!current.current?.is(conversationId)) {
        current.current?.close();
        current.current = new Conversation(client, conversationId, setState, randomId);
        current.current.load();
      }
    }, [conversationId]);

    useEffect(() => () => {
      current.current?.close();
      current.current = null;
    }, []);

    const send = (/** @type {boolean} */ streams) => (
      /** @type {import("./client/types.js").SendPrompt<ConversationId>} */
      (prompt, model, provider, options) => {
        const sent = current.current?.send(streams, prompt, model, provider, options);
        const promise = sent ?? left();
        promise.catch(() => {}); // `error` has it: nobody needs to catch the rejection
        return promise;
      }
    );

    /** @type {Chat["addToolResult"]} */
    const addToolResult = async (callId, result) => {
      await (current.current?.addToolResult(callId, result) ?? left());
    };
    /** @type {Chat["approve"]} */
    const approve = async (approvalId, answer) => {
      await (current.current?.approve(approvalId, answer) ?? left());
    };

    return {
      ...state,
      sendMessage: useCallback(send(false), []),
      sendStreamingMessage: useCallback(send(true), []),
      addToolResult: useCallback(addToolResult, []),
      approve: useCallback(approve, []),
      clearMessages: useCallback(() => current.current?.clearMessages(), []),
      clearError: useCallback(() => current.current?.clearError(), []),
    };
  };
}

/** @returns {Promise<never>} */
function left() {
  return Promise.reject(new TandemError("left"));
}
