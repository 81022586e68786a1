// The switch beside the composer: which of the server's tools a reply may use.

import { $, h } from "./dom.js";
import { icon } from "./icons.js";
import { place } from "./menu.js";
import { chosenTools } from "./preferences.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

/** `prefer(change)` keeps what is chosen, `read()` asks the server for its tools again. */
export function toolsView(store, { prefer, read }) {
  const button = $("tools-button");
  const menu = $("tools-menu");
  button.popoverTargetElement = menu;
  menu.addEventListener("toggle", ({ newState }) => {
    const open = newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    drawMenu(store.state);
    place(menu, button);
    menu.querySelector("input")?.focus();
    read();
  });
  const isOpen = () => menu.matches(":popover-open");
  store.show((state, before) => {
    if (!changed(state, before, "tools", "preferences")) return;
    drawButton(button, state);
    if (isOpen()) drawMenu(state);
  });

  function drawMenu({ tools, preferences }) {
    const focused = menu.contains(document.activeElement) ? document.activeElement.value : null;
    const names = tools.map(({ name }) => name);
    const chosen = new Set(chosenTools(preferences, tools));
    // One that the server has no more, or not at this moment, stays chosen.
    const elsewhere = preferences.tools.filter((name) => !names.includes(name));
    const choose = (some) => prefer({ tools: [...elsewhere, ...names.filter((name) => some.has(name))] });
    const all = tick("", strings.toolsAll, chosen.size === names.length, () => choose(new Set(all.firstChild.checked ? names : [])));
    all.firstChild.indeterminate = chosen.size > 0 && chosen.size < names.length;
    const one = ({ name, description, approval }) => {
      const row = tick(name, name, chosen.has(name), () => choose(row.firstChild.checked ? chosen.add(name) : without(chosen, name)));
      const note = [approval === "never" ? "" : strings.toolAsks, firstLine(description)].filter(Boolean).join(" · ");
      row.append(h("small", { dir: "auto" }, note));
      return row;
    };
    menu.replaceChildren(h("p.tools-title", { id: "tools-title" }, strings.toolsTitle), all, ...tools.map(one));
    if (focused !== null) menu.querySelector(`input[value="${CSS.escape(focused)}"]`)?.focus();
  }
}

function drawButton(button, { tools, preferences }) {
  button.hidden = !tools?.length;
  if (button.hidden) return;
  const on = chosenTools(preferences, tools).length;
  button.replaceChildren(icon("tool"), strings.tools(on));
  button.setAttribute("aria-label", strings.toolsLabel(on, tools.length));
}

function tick(value, label, checked, onchange) {
  return h("label.tool-row", {}, h("input", { type: "checkbox", value, checked, onchange }), h("span", {}, label));
}

function without(names, name) {
  names.delete(name);
  return names;
}

const firstLine = (text) => text.split("\n", 1)[0];
