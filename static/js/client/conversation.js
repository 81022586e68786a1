// The state behind the hook, without React: what is shown of one conversation, and how it changes.

import { sessionIdOf } from "./conversation-id.js";
import { TandemError } from "./tandem-error.js";

/** @import { TandemClient } from "../tandem-client.js" */
/** @import { ChatMessage, ChatState, ConversationId, Reply, Whole } from "./types.js" */

/**
 * What is used of the client.
 * @typedef {Pick<TandemClient, "send" | "follow" | "sessions">} ChatClient
 */

/** @type {ChatState} */
const EMPTY = Object.freeze({
  messages: Object.freeze([]),
  isLoading: false,
  isStreaming: false,
  streamingMessage: undefined,
  error: null,
});

export class Conversation {
  static empty = EMPTY;
  #client;
  #id; // as given: a number stays a number
  #newId;
  #show;
  #state = EMPTY;
  /** @type {number | null} */
  #frame = null;
  /** @type {Reply | null} */
  #reply = null;
  /** @type {{ prompt: string, promise: Promise<ConversationId> } | null} */
  #sending = null; // the message that is unanswered
  #closed = false;

  /**
   * @param {ChatClient} client
   * @param {ConversationId | null} id Without one, the first message makes one by `newId`.
   * @param {(state: ChatState) => void} show Called with each new state.
   * @param {() => string} newId
   */
  constructor(client, id, show, newId) {
    this.#client = client;
    this.#id = id;
    this.#show = show;
    this.#newId = newId;
    show(EMPTY);
  }

  /** @param {ConversationId | null} id */
  is(id) {
    return this.#id === id;
  }

  /** Show what the server has of it, and follow a reply that is under way. */
  async load() {
    if (this.#id === null) return;
    try {
      const messages = await this.#client.sessions.messages(this.#sessionId);
      if (this.#closed || this.#sending) return; // a message was sent meanwhile: its reply is shown
      const active = messages.find((message) => message.status === "running");
      this.#set({ messages: messages.filter((message) => message !== active).map(shown) });
      if (!active?.run_id) return;
      await this.#track(this.#client.follow(active.run_id, { sessionId: this.#sessionId }), true);
    } catch (error) {
      const { code, message } = /** @type {TandemError} */ (error);
      if (code !== "not_found" && code !== "left") this.#set({ error: message });
    }
  }

  /**
   * Send a message; the promise resolves to the conversation's id, or rejects with the TandemError.
   * @param {boolean} streams
   * @param {string} prompt
   * @param {string} [model]
   * @param {string} [provider]
   * @returns {Promise<ConversationId>}
   */
  send(streams, prompt, model, provider) {
    if (this.#sending?.prompt === prompt) return this.#sending.promise; // a double click
    if (this.#reply) return Promise.reject(this.#refused());
    this.#id ??= this.#newId();
    const options = { sessionId: this.#sessionId, model, provider, enableStreaming: streams };
    this.#set({ error: null, messages: [...this.#state.messages, message("user", prompt)] });
    const promise = this.#track(this.#client.send(prompt, options), streams).finally(() => {
      this.#sending = null;
    });
    this.#sending = { prompt, promise };
    promise.catch(() => {}); // `error` has it: nobody needs to catch the rejection
    return promise;
  }

  clearMessages() {
    this.#set({ messages: [] });
  }

  clearError() {
    this.#set({ error: null });
  }

  /** Show nothing from now on. The connection is closed, and the run goes on. */
  close() {
    this.#closed = true;
    this.#reply?.leave();
  }

  get #sessionId() {
    return sessionIdOf(/** @type {ConversationId} */ (this.#id));
  }

  /**
   * Show a reply till its end; return the conversation's id.
   * @param {Reply} reply
   * @param {boolean} streams
   */
  async #track(reply, streams) {
    this.#reply = reply;
    const answer = message("assistant", "");
    const streamingMessage = streams ? answer : undefined;
    this.#set({ isLoading: true, isStreaming: streams, streamingMessage });
    try {
      if (streams) await this.#readPieces(reply, answer);
      const whole = await reply.whole;
      this.#finish({ ...answer, content: whole.text, status: statusOf(whole) });
      return /** @type {ConversationId} */ (this.#id);
    } catch (error) {
      const { text, message: reason } = /** @type {TandemError} */ (error);
      this.#finish(text ? { ...answer, content: text, status: "failed" } : null, reason);
      throw error;
    }
  }

  /**
   * @param {Reply} reply
   * @param {ChatMessage} answer
   */
  async #readPieces(reply, answer) {
    let content = "";
    for await (const event of reply) {
      if (event.type !== "text") continue;
      content += event.text;
      this.#setSoon({ streamingMessage: { ...answer, content } });
    }
  }

  /**
   * @param {ChatMessage | null} answer
   * @param {string | null} [error]
   */
  #finish(answer, error = null) {
    this.#reply = null;
    const messages = answer ? [...this.#state.messages, answer] : this.#state.messages;
    const idle = { isLoading: false, isStreaming: false, streamingMessage: undefined };
    this.#set({ ...idle, messages, error });
  }

  #refused() {
    const sentence = "A reply is under way. Wait for its end, or stop it.";
    const error = new TandemError("session_busy", sentence, {
      retryable: true,
      runId: this.#reply?.runId,
      sessionId: this.#sessionId,
    });
    this.#set({ error: error.message });
    return error;
  }

  /** @param {Partial<ChatState>} change */
  #set(change) {
    this.#dropFrame();
    this.#state = { ...this.#state, ...change };
    if (!this.#closed) this.#show(this.#state);
  }

  /**
   * Set, and show it with the next animation frame: pieces come faster than a screen can change.
   * @param {Partial<ChatState>} change
   */
  #setSoon(change) {
    this.#state = { ...this.#state, ...change };
    if (this.#closed || this.#frame !== null) return;
    this.#frame = nextFrame(() => {
      this.#frame = null;
      this.#set({});
    });
  }

  #dropFrame() {
    if (this.#frame !== null) dropFrame(this.#frame);
    this.#frame = null;
  }
}

const FRAME_MS = 16;
/** @type {(show: () => void) => number} */
const soon = (show) => setTimeout(show, FRAME_MS);
/** @type {(show: () => void) => number} */
const nextFrame = (show) => (globalThis.requestAnimationFrame ?? soon)(show);
/** @type {(frame: number) => void} */
const dropFrame = (frame) => (globalThis.cancelAnimationFrame ?? clearTimeout)(frame);

let made = 0;

/**
 * @param {ChatMessage["role"]} role
 * @param {string} content
 * @returns {ChatMessage}
 */
function message(role, content) {
  made += 1;
  const timestamp = new Date().toISOString();
  return { id: `local-${made}`, role, content, status: "completed", timestamp };
}

/**
 * @param {ChatMessage} message
 * @returns {ChatMessage}
 */
function shown({ id, role, content, status, timestamp }) {
  return { id, role, content, status, timestamp };
}

/** @param {Whole} whole */
function statusOf(whole) {
  return whole.finishReason === "stopped" ? "stopped" : "completed";
}
