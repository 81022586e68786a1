// The state behind the hook, without React: what is shown of one conversation, and how it changes.

import { marksOf } from "./attachments.js";
import { blocksOf, withEvent, withFile, withText } from "./blocks.js";
import { asked, ended, newMessage, said, shown, uploaded } from "./chat-messages.js";
import { sessionIdOf } from "./conversation-id.js";
import { TandemError } from "./tandem-error.js";

/** @import { TandemClient } from "../tandem-client.js" */
/** @import { AnswersTaken, Approval, PendingAction, ToolResult } from "./records.js" */
/** @import { ChatMessage, ChatState, ConversationId, MessageOptions, Reply } from "./types.js" */

/**
 * What is used of the client.
 * @typedef {Pick<TandemClient, "send" | "follow" | "sessions">
 *   & Partial<Pick<TandemClient, "tools">>} ChatClient
 */

const NOTHING_WAITS = "Nothing here waits for that answer.";

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
  /** @type {{ mark: string, promise: Promise<ConversationId> } | null} */
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
      const waits = messages.some((message) => message.status === "requires_action");
      const pending = waits ? await this.#pending() : [];
      if (this.#closed || this.#reply) return; // a message was sent meanwhile: its reply is shown
      const active = messages.find((message) => message.status === "running");
      const others = messages.filter((message) => message !== active);
      this.#set({ messages: others.map((message) => shown(message, pending)) });
      if (!active?.run_id) return;
      const reply = this.#client.follow(active.run_id, { sessionId: this.#sessionId });
      await this.#track(reply, true, said(newMessage("assistant"), blocksOf(active)));
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
   * @param {Pick<MessageOptions, "tools" | "attachments">} [more]
   * @returns {Promise<ConversationId>}
   */
  send(streams, prompt, model, provider, { tools, attachments = [] } = {}) {
    const mark = JSON.stringify([prompt, marksOf(attachments)]);
    if (this.#sending?.mark === mark) return this.#sending.promise; // a double click
    if (this.#reply) return Promise.reject(this.#refused());
    this.#id ??= this.#newId();
    const to = { sessionId: this.#sessionId, enableStreaming: streams };
    const options = { ...to, model, provider, tools, attachments };
    const message = asked(prompt, attachments);
    this.#set({ error: null, messages: [...this.#state.messages, message] });
    const reply = this.#client.send(prompt, options);
    if (attachments.length) this.#nameUploads(reply, message.id).catch(() => {}); // #track has it
    const promise = this.#track(reply, streams).finally(() => {
      this.#sending = null;
    });
    this.#sending = { mark, promise };
    promise.catch(() => {}); // `error` has it: nobody needs to catch the rejection
    return promise;
  }

  /**
   * @param {string} callId
   * @param {Omit<ToolResult, "call_id">} result
   */
  addToolResult(callId, result) {
    return this.#answer(({ call_id: id }) => id === callId, (tools, runId) => (
      tools.addResults(runId, [{ ...result, call_id: callId }])
    ));
  }

  /**
   * @param {string} approvalId
   * @param {Approval} answer
   */
  approve(approvalId, answer) {
    return this.#answer(({ approval_id: id }) => id === approvalId, (tools, runId) => (
      tools.approve(runId, approvalId, answer)
    ));
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
   * Answer what a reply waits for, and follow it where it goes on.
   * @param {(action: PendingAction) => boolean} isMeant
   * @param {(tools: TandemClient["tools"], runId: string) => Promise<AnswersTaken>} give
   */
  async #answer(isMeant, give) {
    const message = this.#state.messages.find(({ calls }) => (
      calls.some(({ action }) => action && isMeant(action))
    ));
    const { tools } = this.#client;
    if (!message?.runId || !tools) throw new TandemError("not_found", NOTHING_WAITS);
    const { status, seq: after } = await give(tools, message.runId);
    if (this.#closed || this.#reply) return;
    if (status !== "running") {
      await this.load();
      return;
    }
    this.#set({ messages: this.#state.messages.filter((one) => one !== message) });
    const reply = this.#client.follow(message.runId, { sessionId: this.#sessionId, after });
    this.#track(reply, true, message, 0).catch(() => {}); // `error` has it
  }

  async #pending() {
    const { active_run: active } = await this.#client.sessions.get(this.#sessionId);
    return active?.pending ?? [];
  }

  /**
   * Show a reply till its end, or till it waits; return the conversation's id.
   * @param {Reply} reply
   * @param {boolean} streams
   * @param {ChatMessage} [begun] What there is of it.
   * @param {number} [from] Where the blocks of its run begin, in what there is.
   */
  async #track(reply, streams, begun = newMessage("assistant"), from = begun.blocks.length) {
    this.#reply = reply;
    const streamingMessage = streams ? begun : undefined;
    this.#set({ isLoading: true, isStreaming: streams, streamingMessage });
    let answer = begun;
    try {
      if (streams) {
        await this.#readPieces(reply, begun, from, (message) => { answer = message; });
      }
      const whole = await reply.whole;
      this.#finish(ended(streams ? answer : said(begun, [{ text: whole.text }]), whole));
      // Of an answer that came whole only what it waits for is known.
      if (!streams && whole.requiresAction) await this.load();
      return /** @type {ConversationId} */ (this.#id);
    } catch (error) {
      const { text, message: reason } = /** @type {TandemError} */ (error);
      const some = text || answer.blocks.length ? { ...answer, status: "failed" } : null;
      this.#finish(some, reason);
      throw error;
    }
  }

  /**
   * @param {Reply} reply
   * @param {ChatMessage} answer
   * @param {number} from
   * @param {(message: ChatMessage) => void} keep
   */
  async #readPieces(reply, answer, from, keep) {
    for await (const event of reply) {
      if (event.type === "text") {
        const blocks = withText(answer.blocks, event.text);
        answer = { ...answer, content: answer.content + event.text, blocks };
      } else if (event.type === "tool") {
        const found = withEvent(answer.blocks, from, event, Date.now());
        from = found.from;
        answer = said(answer, found.blocks);
      } else if (event.type === "file") {
        answer = said(answer, withFile(answer.blocks, event.file));
      } else continue;
      keep(answer);
      this.#setSoon({ streamingMessage: answer });
    }
  }

  /**
   * Have the files of a message say what the server knows of them, as they get there.
   * @param {Reply} reply
   * @param {string} id
   */
  async #nameUploads(reply, id) {
    for await (const event of reply) {
      if (event.type !== "upload") return;
      const { index, attachment } = event;
      if (!attachment) continue;
      const named = this.#state.messages.map((one) => (
        one.id === id ? uploaded(one, index, attachment) : one
      ));
      this.#set({ messages: named });
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
