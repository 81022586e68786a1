// Types of use-chat.js. They name nothing of React's own types, so that none have to be installed.

import type { TandemClient } from "./tandem-client.js";

export interface ChatMessage {
  id: string;
  role: "user" | "assistant" | "system";
  content: string;
  status: string;
  timestamp: string;
}

/** A session's id; a number names the session of its digits, and stays a number. */
export type ConversationId = string | number;

export interface Chat<Id extends ConversationId = ConversationId> {
  messages: readonly ChatMessage[];
  isLoading: boolean;
  isStreaming: boolean;
  streamingMessage: ChatMessage | undefined;
  error: string | null;
  sendMessage: (prompt: string, model?: string, provider?: string) => Promise<Id>;
  sendStreamingMessage: (prompt: string, model?: string, provider?: string) => Promise<Id>;
  clearMessages: () => void;
  clearError: () => void;
}

export interface UseChat {
  (conversationId: number): Chat<number>;
  (conversationId?: string | null): Chat<string>;
  (conversationId?: ConversationId | null): Chat;
}

/** The hooks of React that are used. */
export interface ReactHooks {
  useState: (...args: any[]) => any;
  useEffect: (...args: any[]) => any;
  useRef: (...args: any[]) => any;
  useCallback: (...args: any[]) => any;
}

export function createUseChat(React: ReactHooks, client: TandemClient): UseChat;
