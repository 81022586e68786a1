// The page at /examples/react: a chat with the hook `useChat`, to read and to copy from.
//
// There is no build step, so `h(type, props, ...children)` stands where JSX would: `h(Chat, { id })`
// is `<Chat id={id} />`. With a bundler only the imports change: React from "react", createRoot from
// "react-dom/client", the two modules from where you put them. docs/client.md has the hook's eleven names.

import * as React from "/static/vendor/react.js";
import { createMarkdownView } from "../markdown/markdown-view.js";
import { TandemClient } from "../tandem-client.js";
import { createUseChat } from "../use-chat.js";

const { createElement: h, createRoot, memo, useEffect, useId, useRef, useState } = React;

// One client for the whole page, outside of all components: it survives what they do. Where the
// server asks for a token, `new TandemClient({ getToken: () => … })`. Where a model that pauses for
// over 10 s in its text is to count as failed, `{ heartbeatsCount: false }`.
const client = new TandemClient();
const useChat = createUseChat(React, client);

// ---- What the page reads before there is a chat

const SESSION_KEY = "tandem-react-example";

let session = null; // one promise: an effect may run twice, as it does in development under StrictMode

/** Return the conversation's id: this tab's, so that a reload shows it again, or a new one. */
function openSession() {
  session ??= findSession();
  return session;
}

async function findSession() {
  const kept = sessionStorage.getItem(SESSION_KEY);
  if (kept) return kept;
  // `useChat()` without an id would do too: its first message makes a conversation. We want to know
  // the id from the start, to show the conversation again after it was unmounted in mid-reply.
  const { session_id: id } = await client.sessions.create();
  sessionStorage.setItem(SESSION_KEY, id);
  return id;
}

/** Return which providers can be asked: `{default, providers: [{name, model, ready, missing}]}`. */
const readModels = () => client.models();

/** Return the names of the tools that the server can run. */
const readTools = async () => (await client.tools.list()).map(({ name }) => name);

/** What `load` resolves to. It must be the same function each time: one from outside of components. */
function useLoaded(load) {
  const [state, setState] = useState({ value: null, error: null });
  useEffect(() => {
    let left = false; // what comes after that is nobody's
    load().then(
      (value) => left || setState({ value, error: null }),
      (error) => left || setState({ value: null, error: error.message }),
    );
    return () => { left = true; };
  }, [load]);
  return state;
}

// ---- The page: the choices, and the chat that can be taken away

function App() {
  const session = useLoaded(openSession);
  const models = useLoaded(readModels);
  const tools = useLoaded(readTools);
  const [mounted, setMounted] = useState(true);
  const [choice, setChoice] = useState({ streams: true, tools: false, provider: "", model: "" });
  const failed = session.error ?? models.error;

  return h("main", null,
    h("header", null,
      h("h1", null, "Tandem ", h("span", null, "React hook")),
      h("button", { type: "button", onClick: () => setMounted(!mounted) }, mounted ? "Unmount" : "Mount"),
    ),
    h(Choices, { models: models.value, choice, onChange: (change) => setChoice({ ...choice, ...change }) }),
    failed && h("p", { role: "alert", className: "error" }, failed),
    mounted && session.value && h(Boundary, { fallback: chatFailed },
      h(Chat, { conversationId: session.value, choice, tools: choice.tools ? tools.value ?? undefined : undefined })),
    // The run goes on at the server: what it says meanwhile is there when the chat is mounted again.
    !mounted && h("p", { className: "away" }, "Unmounted. A reply that was under way goes on at the server."),
  );
}

/**
 * What is in it may fail, and `fallback(error, again)` stands in its place; the rest of the page
 * goes on. React has no hook for it, so it is a class: with a bundler, of `React.Component`.
 */
class Boundary extends React.default.Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    const again = () => this.setState({ error: null });
    return error ? this.props.fallback(error, again) : this.props.children;
  }
}

// React has written the error to the console. A reply that is under way goes on at the server, and
// a chat that is mounted again shows it.
const chatFailed = (_error, again) => h("div", { role: "alert", className: "error" },
  h("p", null, "The chat could not be shown."),
  h("button", { type: "button", onClick: again }, "Show it again"),
);

function Choices({ models, choice, onChange }) {
  const id = useId();
  const providers = models?.providers ?? [];
  const chosen = providers.find(({ name }) => name === (choice.provider || models.default));
  return h("fieldset", { className: "choices" },
    h("legend", null, "How to ask"),
    [["streams", "Streaming"], ["tools", "Tools"]].map(([name, label]) => h("label", { key: name, className: "toggle" },
      h("input", {
        type: "checkbox",
        role: "switch",
        checked: choice[name],
        onChange: (event) => onChange({ [name]: event.target.checked }),
      }),
      label,
    )),
    h("div", { className: "field" },
      h("label", { htmlFor: `${id}-provider` }, "Provider"),
      h("select", {
        id: `${id}-provider`,
        value: choice.provider,
        disabled: !models,
        // Another provider has other models.
        onChange: (event) => onChange({ provider: event.target.value, model: "" }),
      },
        h("option", { value: "" }, models ? `Default (${models.default})` : "Default"),
        providers.map(({ name, ready, missing }) =>
          h("option", { key: name, value: name, disabled: !ready }, ready ? name : `${name} (needs ${missing})`)),
      ),
    ),
    h("div", { className: "field" },
      h("label", { htmlFor: `${id}-model` }, "Model"),
      h("input", {
        id: `${id}-model`,
        value: choice.model,
        placeholder: chosen?.model ?? "the provider's",
        autoComplete: "off", spellCheck: false,
        onChange: (event) => onChange({ model: event.target.value }),
      }),
    ),
  );
}

// ---- The chat: all names of the hook but addToolResult, for tools that the page itself runs

function Chat({ conversationId, choice, tools }) {
  const {
    messages, isLoading, isStreaming, streamingMessage, error,
    sendMessage, sendStreamingMessage, approve, clearMessages, clearError,
  } = useChat(conversationId);
  const progress = useProgress(conversationId, isLoading);
  const lastPrompt = useRef(null);

  const send = (prompt) => {
    lastPrompt.current = prompt;
    const ask = choice.streams ? sendStreamingMessage : sendMessage;
    // Both promise the conversation's id. A failure is in `error`, so nobody has to wait for it here.
    // Twice the same prompt is one request: no guard against double clicks is needed.
    ask(prompt, choice.model.trim() || undefined, choice.provider || undefined, { tools }).catch(() => {});
  };

  return h("section", { className: "chat", "aria-label": "Chat" },
    h(ChatWindow, { messages, isLoading, isStreaming, streamingMessage, approve }),
    h("p", { role: "status", className: "status" }, progress),
    error && h("div", { role: "alert", className: "error" },
      h("p", null, error),
      lastPrompt.current !== null
        && h("button", { type: "button", disabled: isLoading, onClick: () => send(lastPrompt.current) }, "Retry"),
      h("button", { type: "button", onClick: clearError }, "Dismiss"),
    ),
    h(Composer, {
      isLoading,
      onSend: send,
      // Unmounting leaves a reply; to end it at the server is another thing, and is asked for.
      onStop: () => client.replyOf(conversationId)?.stop().catch(() => {}),
      // Shows none. The server keeps them, and they are back after a reload.
      onClear: messages.length > 0 ? clearMessages : undefined,
    }),
  );
}

function ChatWindow({ messages, isLoading, isStreaming, streamingMessage, approve }) {
  // The reply has one id while it streams and when it is complete. With it as the key it keeps its
  // <li>, and what was drawn stays drawn.
  const shown = streamingMessage ? [...messages, streamingMessage] : messages;
  return h("div", { className: "window", tabIndex: 0, role: "log", "aria-label": "Messages", "aria-busy": isLoading },
    // A log that is busy is read out when it is complete, not piece by piece.
    h("ol", null,
      shown.map((message) =>
        h(Message, { key: message.id, message, approve, isStreaming: isStreaming && message === streamingMessage })),
      isLoading && !isStreaming && h("li", { className: "assistant note" }, "Waiting for the whole answer..."),
    ),
    shown.length === 0 && !isLoading && h("p", { className: "empty" }, "No messages."),
  );
}

const NOTES = { stopped: "Stopped", failed: "Failed", interrupted: "Interrupted", requires_action: "Waiting" };

// `memo`: of a long conversation only the message that grows is rendered again.
const Message = memo(function Message({ message, isStreaming, approve }) {
  const { role, content, status, calls } = message;
  const classes = [role, isStreaming ? "streaming" : status].join(" ");
  return h("li", { className: classes },
    h("span", { className: "author" }, role === "user" ? "You" : "Assistant"),
    role === "assistant"
      ? h(Boundary, { fallback: () => h(Plain, { text: content }) },
        h(Markdown, { text: content, done: !isStreaming }))
      : h(Plain, { text: content }),
    calls.map((call) => h(Call, { key: call.call_id, call, approve })),
    isStreaming && h("span", { className: "note" }, "Streaming response..."),
    !isStreaming && NOTES[status] && h("span", { className: "note" }, NOTES[status]),
  );
});

/** A call of a tool; one that needs leave has two buttons. `message.blocks` has calls and texts in their order. */
function Call({ call: { name, state, input, output, error, action }, approve }) {
  const answer = (approved) => h("button", {
    key: String(approved), type: "button", onClick: () => approve(action.approval_id, { approved }).catch(() => {}),
  }, approved ? "Allow" : "Deny");
  return h("div", { className: "call" },
    h("details", null, h("summary", null, `${name}: ${state.replaceAll("_", " ")}`),
      h("pre", null, JSON.stringify({ input, output, error }, null, 2))),
    action?.kind === "approval" && [true, false].map(answer));
}

function Plain({ text }) {
  return h("p", { className: "plain", dir: "auto" }, text);
}

/** A text that grows, drawn as Markdown. React owns the element, and the view what is in it. */
function Markdown({ text, done }) {
  const element = useRef(null);
  const view = useRef(null);

  useEffect(() => {
    view.current = createMarkdownView(element.current);
    return () => view.current.close();
  }, []);

  useEffect(() => {
    const drawn = view.current.text;
    if (text.startsWith(drawn)) view.current.append(text.slice(drawn.length));
    else view.current.set(text);
    if (done) view.current.finish();
  }, [text, done]);

  return h("div", { ref: element, className: "markdown", dir: "auto" });
}

function Composer({ isLoading, onSend, onStop, onClear }) {
  const [prompt, setPrompt] = useState("");
  const field = useRef(null);
  const id = useId();

  const submit = (event) => {
    event.preventDefault();
    if (isLoading || !prompt.trim()) return;
    onSend(prompt);
    setPrompt("");
    field.current.focus();
  };
  // Enter sends, with Shift it is a line; while an input method composes, it is its own.
  const onKeyDown = (event) => {
    // Safari tells of its end before the key, and leaves 229 as its mark.
    const composing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key === "Enter" && !event.shiftKey && !composing) submit(event);
  };

  return h("form", { className: "composer", onSubmit: submit },
    h("label", { htmlFor: id }, "Message"),
    h("textarea", {
      id, ref: field, rows: 2, dir: "auto", value: prompt, onKeyDown,
      onChange: (event) => setPrompt(event.target.value),
    }),
    h("div", { className: "buttons" },
      h("button", { type: "button", disabled: !onClear || isLoading, onClick: onClear }, "Clear"),
      h("button", { type: "button", disabled: !isLoading, onClick: onStop }, "Stop"),
      h("button", { type: "submit", disabled: isLoading }, "Send"),
    ),
  );
}

// ---- How a reply gets here, for who wants to tell it

/**
 * One line about the reply under way. The hook says that there is one; its events say the rest. Any
 * number of loops may read them: this one takes nothing away from the hook's.
 */
function useProgress(conversationId, isLoading) {
  const [line, setLine] = useState("Ready");
  const latest = useRef(null);

  useEffect(() => {
    const reply = isLoading ? client.replyOf(conversationId) : undefined;
    if (!reply) return;
    latest.current = reply;
    // The loop ends with the reply, or when the hook leaves it: there is nothing to clean up.
    tell(reply, (said) => latest.current === reply && setLine(said));
  }, [conversationId, isLoading]);

  return line;
}

async function tell(reply, say) {
  say("Sent");
  try {
    for await (const event of reply) {
      const said = lineOf(event);
      if (said) say(said);
    }
  } catch {
    say("Failed"); // why is in the hook's `error`
  }
}

const STATUSES = {
  waiting: "Waiting for the model", thinking: "The model is thinking",
  retrying: "The model failed: the server tries again",
  answering: "Another model answers",
};
const TRANSPORTS = { sse: "Server-Sent Events", socket: "Socket.IO" };

function lineOf(event) {
  const over = TRANSPORTS[event.transport];
  switch (event.type) {
    case "text": return event.seq === null ? null : "Streaming";
    case "status": return STATUSES[event.status] ?? event.status;
    case "retry": return over ? `Trying again over ${over}` : "Streaming failed: asking for the whole answer";
    case "resume": return `Connection lost: resuming over ${over}`;
    case "end": return endOf(event);
    default: return null;
  }
}

function endOf({ finishReason, provider, model, duration }) {
  const said = finishReason === "stopped" ? "Stopped" : "Complete";
  const by = [provider, model, duration && `${duration} s`].filter(Boolean);
  return [said, ...by].join(" · ");
}

createRoot(document.getElementById("root")).render(h(React.StrictMode, null, h(App)));
