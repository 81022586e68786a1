// A component that uses the hook, in jsdom; `wait` for what it shows.

import { JSDOM } from "jsdom";

const { window } = new JSDOM("<div id=root></div>");
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true }); // Node has a navigator of its own
}

// React looks for a document when it is loaded.
const React = await import("react");
const { createRoot } = await import("react-dom/client");

export { React };

/** Animation frames that come when they are told to. */
export function frames(t) {
  const waiting = new Map();
  let made = 0;
  globalThis.requestAnimationFrame = (show) => {
    waiting.set((made += 1), show);
    return made;
  };
  globalThis.cancelAnimationFrame = (frame) => waiting.delete(frame);
  t.after(() => {
    delete globalThis.requestAnimationFrame;
    delete globalThis.cancelAnimationFrame;
  });
  return {
    get count() {
      return waiting.size;
    },
    next() {
      const shows = [...waiting.values()];
      waiting.clear();
      for (const show of shows) show(0);
    },
  };
}

/** Mount a component of `useChat(id)`. */
export async function mount(t, useChat, id, { strict = false } = {}) {
  const mounted = { renders: 0, chat: null };
  let look = () => {};
  function Component({ conversationId }) {
    const chat = useChat(conversationId);
    React.useEffect(() => {
      mounted.chat = chat;
      mounted.renders += 1;
      look();
    });
    return React.createElement("p", null, chat.streamingMessage?.content);
  }
  const root = createRoot(document.createElement("div"));
  let open = true;
  mounted.show = (conversationId) => {
    const component = React.createElement(Component, { conversationId });
    root.render(strict ? React.createElement(React.StrictMode, null, component) : component);
  };
  mounted.unmount = () => {
    open = false;
    root.unmount();
  };
  mounted.wait = (holds) => new Promise((resolve) => {
    look = () => {
      if (mounted.chat && holds(mounted.chat)) resolve(mounted.chat);
    };
    look();
  });
  t.after(() => open && mounted.unmount());
  mounted.show(id);
  await mounted.wait(() => true);
  return mounted;
}
