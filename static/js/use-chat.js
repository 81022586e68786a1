// The React hook: a conversation as state. React and the client are passed in:
//   export const useChat = createUseChat(React, new TandemClient());
// docs/client.md says what each of its nine names does.

import { randomId, TandemError } from "./tandem-client.js";
import { Conversation } from "./client/conversation.js";

/** Return the hook `useChat(conversationId?)`. */
export function createUseChat(React, client) {
  const { useCallback, useEffect, useRef, useState } = React;

  return function useChat(conversationId = null) {
    const [state, setState] = useState(() => Conversation.empty);
    const current = useRef(null); // the Conversation on show, while mounted

    useEffect(() => {
      // The id that a first message was given may come back as the parameter: the same conversation.
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

    const act = useCallback((what) => current.current?.[what]() , []);
    const send = useCallback((...args) => {
      const promise = current.current?.send(...args) ?? Promise.reject(new TandemError("left"));
      promise.catch(() => {}); // who does not wait for it need not catch
      return promise;
    }, []);

    return {
      ...state,
      sendMessage: useCallback((...args) => send(false, ...args), [send]),
      sendStreamingMessage: useCallback((...args) => send(true, ...args), [send]),
      clearMessages: useCallback(() => act("clearMessages"), [act]),
      clearError: useCallback(() => act("clearError"), [act]),
    };
  };
}
