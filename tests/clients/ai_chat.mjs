// The chat that @ai-sdk/react has in React's state, of any of the SDK's versions, without React.
import { print } from "./print.mjs";

export const textOf = (message) =>
  message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");

// Each change of a reply is printed, unless it is silent.
class State {
  status = "ready";
  error = undefined;
  messages = [];
  constructor(who) {
    this.who = who;
  }
  pushMessage(message) {
    this.messages = [...this.messages, message];
    this.show(message);
  }
  popMessage() {
    this.messages = this.messages.slice(0, -1);
  }
  replaceMessage(index, message) {
    this.messages = this.messages.map((old, at) => (at === index ? message : old));
    this.show(message);
  }
  show(message) {
    if (message.role !== "assistant" || this.who === null) return;
    print({ who: this.who, text: textOf(message), status: this.status });
    if (textOf(message)) this.shown?.();
  }
  snapshot = structuredClone;
}

export const chats = ({ AbstractChat }, transport, id) =>
  class Chat extends AbstractChat {
    constructor(who = "first", chatId = id, options = {}) {
      const state = new State(who);
      super({ id: chatId, transport, state, ...options });
      this.saysSomething = new Promise((resolve) => (state.shown = resolve));
    }
    report() {
      const { status, messages } = this;
      print({ messages, status, error: this.error?.message ?? null });
    }
  };
