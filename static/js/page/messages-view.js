// The messages in their order; each is drawn again only when it has changed.

import { $, h } from "./dom.js";
import { MessageView } from "./message-view.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

const TICK_MS = 1000;

export function messagesView(store, actions) {
  const list = $("messages");
  const views = new Map(); // by key

  store.show((state, before) => {
    if (changed(state, before, "messages", "live", "editing", "offline")) draw(state);
    if (changed(state, before, "messages", "loading", "models")) drawEmpty(state);
    if (state.editing && changed(state, before, "editing")) views.get(state.editing)?.focusEdit();
  });
  setInterval(() => {
    const { live, offline } = store.state;
    if (live && live.phase !== "streaming" && !document.hidden) views.get(live.key)?.tick(live, offline);
  }, TICK_MS);

  function draw({ messages, live, editing, offline }) {
    // While one is under way, or waits, the branch stays as it is.
    const fixed = Boolean(live) || messages.at(-1)?.status === "requires_action";
    const keys = new Set(messages.map((message) => message.key));
    for (const [key, view] of views) {
      if (keys.has(key)) continue;
      view.remove();
      views.delete(key);
    }
    messages.forEach((message, at) => {
      const view = viewOf(message);
      if (list.children[at] !== view.element) list.insertBefore(view.element, list.children[at] ?? null);
      const around = { busy: Boolean(live), fixed, last: at === messages.length - 1, editing: editing === message.key, offline };
      view.update(message, live?.key === message.key ? live : null, around);
    });
  }

  function viewOf(message) {
    if (!views.has(message.key)) views.set(message.key, new MessageView(message, actions));
    return views.get(message.key);
  }
}

function drawEmpty({ messages, loading, models }) {
  const empty = $("empty");
  empty.hidden = loading || messages.length > 0;
  if (empty.hidden) return;
  const onlyDemo = models && models.providers.every((one) => !one.ready || one.name === "demo");
  empty.replaceChildren(
    h("p.empty-title", {}, strings.emptyTitle),
    h("p", {}, strings.emptyText),
    ...(onlyDemo ? [h("p", {}, strings.emptyDemo)] : []),
  );
}
