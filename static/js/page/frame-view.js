// The frame of the page: the title, the drawer of conversations on a phone, its keyboard, the keys.

import { $, setText } from "./dom.js";
import { isComposing } from "./keys.js";
import { changed } from "./store.js";
import { titleOf } from "./state.js";
import { strings } from "./strings.js";

const narrow = matchMedia("(max-width: 799px)");
const isMac = /mac|iphone|ipad/i.test(navigator.platform);

export function frameView(store, { newChat, stop }) {
  const openSidebar = (sidebarOpen) => store.set({ sidebarOpen });
  $("sidebar-open").addEventListener("click", () => openSidebar(true));
  $("sidebar-close").addEventListener("click", () => openSidebar(false));
  $("scrim").addEventListener("click", () => openSidebar(false));
  $("new-chat").addEventListener("click", newChat);
  $("new-chat-narrow").addEventListener("click", newChat);
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("message").focus();
  });
  setText($("search-key"), isMac ? "⌘K" : "Ctrl K");
  narrow.addEventListener("change", () => drawSidebar(store.state, null));
  addEventListener("keydown", (event) => keys(event, store, { openSidebar, stop }));
  fitKeyboard();
  store.show((state, before) => {
    if (changed(state, before, "session", "sessionId", "sessions")) drawTitle(state);
    if (changed(state, before, "sidebarOpen")) drawSidebar(state, before);
  });
}

function keys(event, store, { openSidebar, stop }) {
  if (isComposing(event)) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (narrow.matches) openSidebar(true);
    store.draw();
    $("search").focus();
    $("search").select();
  } else if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], :popover-open")) {
    if (store.state.sidebarOpen) openSidebar(false);
    else if (store.state.live && event.target !== $("search")) stop();
  }
}

function drawTitle({ session, sessionId, sessions }) {
  const known = session?.session_id === sessionId ? session : sessions.find((one) => one.session_id === sessionId);
  const title = titleOf(known, strings);
  setText($("chat-title"), title);
  document.title = known?.title ? `${title} – Tandem` : "Tandem";
}

/** On a phone the list covers the chat, which is inert meanwhile. */
function drawSidebar({ sidebarOpen }, before) {
  const open = sidebarOpen && narrow.matches;
  document.body.classList.toggle("sidebar-open", open);
  $("scrim").hidden = !open;
  $("chat").inert = open;
  $("panel").inert = open;
  $("sidebar").inert = narrow.matches && !open;
  $("sidebar-open").setAttribute("aria-expanded", String(open));
  if (open) $("sidebar-close").focus({ preventScroll: true });
  else if (before?.sidebarOpen && narrow.matches) $("sidebar-open").focus({ preventScroll: true });
}

/** iOS puts its keyboard over the page: make the page as high as the rest. */
function fitKeyboard() {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const fit = () => {
    document.documentElement.style.setProperty("--visible-height", viewport.scale === 1 ? `${viewport.height}px` : "100dvh");
  };
  viewport.addEventListener("resize", fit);
  fit();
}
