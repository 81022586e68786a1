// The list of conversations, its search, and the menu of each.

import { $, h, iconButton, setText } from "./dom.js";
import { ago, dateOf } from "./formats.js";
import { isComposing } from "./keys.js";
import { menuButton } from "./menu.js";
import { titleOf } from "./state.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

const SEARCH_MS = 200;
const AGES_MS = 60_000;

export function listView(store, actions) {
  const field = $("search");
  let timer;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => actions.search(field.value.trim()), SEARCH_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || isComposing(event) || !field.value) return;
    event.preventDefault(); // the browser's own clearing, and what the page does with Esc
    clearTimeout(timer);
    field.value = "";
    actions.search("");
  });
  $("more").addEventListener("click", actions.more);
  new IntersectionObserver(([seen]) => seen.isIntersecting && actions.more(), { root: $("sessions-scroll"), rootMargin: "200px" }).observe($("more"));
  store.show((state, before) => {
    const writing = state.renaming !== null && before?.renaming === state.renaming;
    if (!writing && changed(state, before, "sessions", "sessionId", "renaming")) drawList(state, actions);
    if (changed(state, before, "sessions", "listing", "search", "next")) drawNote(state, actions);
  });
  setInterval(() => !document.hidden && !store.state.renaming && drawAges(store.state), AGES_MS);
}

function drawList(state, actions) {
  const list = $("sessions");
  const focused = focusIn(list);
  list.replaceChildren(...state.sessions.map((session) => row(session, state, actions)));
  const field = list.querySelector("input");
  if (field) {
    field.focus();
    field.select();
  } else if (focused) list.querySelector(focused)?.focus({ preventScroll: true });
}

/** Return a selector of the element with the focus, to restore it after the list is drawn again. */
function focusIn(list) {
  const element = document.activeElement;
  const id = list.contains(element) && element.closest("li")?.dataset.id;
  return id ? `li[data-id="${CSS.escape(id)}"] ${element.localName === "a" ? "a" : "button"}` : null;
}

function row(session, state, actions) {
  const { session_id: id } = session;
  const current = id === state.sessionId;
  const title = titleOf(session, strings);
  const item = h(`li.session${current ? ".current" : ""}`, { "data-id": id });
  if (state.renaming === id) item.append(renameForm(session, actions));
  else item.append(link(session, title, current), menu(session, title, actions));
  return item;
}

function link(session, title, current) {
  const age = h("span.age", { title: dateOf(session.timestamp) }, ago(session.timestamp));
  const running = session.active_run && mark(session.active_run);
  const properties = { href: `#/c/${encodeURIComponent(session.session_id)}`, "aria-current": current ? "page" : null };
  return h("a", properties, h("span.title", { dir: "auto" }, title), running, age);
}

function mark({ status }) {
  if (status !== "requires_action") return h("span.running", { role: "img", "aria-label": strings.replying });
  return h("span.running.waits", { role: "img", "aria-label": strings.waitsForYou });
}

function menu(session, title, actions) {
  const { session_id: id } = session;
  return menuButton(strings.sessionMenu(title), [
    [strings.rename, () => actions.startRename(id)],
    [strings.exportMarkdown, () => actions.export(id, "markdown")],
    [strings.exportJson, () => actions.export(id, "json")],
    [strings.delete, () => actions.delete(id, title), "danger"],
  ]);
}

function renameForm(session, actions) {
  const field = h("input", { value: session.title, "aria-label": strings.renameLabel, dir: "auto", maxLength: 200 });
  let done = false;
  const end = (save) => {
    if (done) return;
    done = true;
    const title = field.value.trim();
    actions.endRename(session.session_id, save && title && title !== session.title ? title : null);
  };
  field.onkeydown = (event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") {
      event.stopPropagation();
      end(false);
    }
  };
  field.onblur = () => end(true);
  const cancel = iconButton("close", strings.cancel, () => end(false), { onpointerdown: (event) => event.preventDefault() });
  return h("div.rename", {}, field, cancel);
}

function drawNote({ sessions, listing, search, next }, { retry }) {
  const note = $("list-note");
  $("more").hidden = !next;
  note.hidden = listing === "loading" || (listing === "ready" && sessions.length > 0);
  if (listing === "failed") note.replaceChildren(strings.listFailed, " ", h("button.text-button", { type: "button", onclick: retry }, strings.retry));
  else setText(note, search ? strings.nothingFound(search) : strings.noSessions);
}

function drawAges({ sessions }) {
  const ages = $("sessions").querySelectorAll(".age");
  sessions.forEach((session, at) => ages[at] && setText(ages[at], ago(session.timestamp)));
}
