// A button with a menu. The browser's popover closes it on Esc and on a click elsewhere.

import { h, iconButton } from "./dom.js";

const EDGE = 8;
let made = 0;

/** Return a button that opens a menu of [label, action, class?]. */
export function menuButton(label, entries) {
  made += 1;
  const id = `menu-${made}`;
  const menu = h("div.menu", { id, role: "menu", "aria-label": label, popover: "auto" });
  const button = iconButton("dots", label, null, { "aria-haspopup": "menu", "aria-expanded": "false" });
  button.popoverTargetElement = menu;
  const choose = (action) => () => {
    menu.hidePopover();
    action();
  };
  menu.append(...entries.map(([text, action, kind]) => h(`button.menu-item${kind ? `.${kind}` : ""}`, { type: "button", role: "menuitem", tabIndex: -1, onclick: choose(action) }, text)));
  // Has the focus as soon as it is open: the next key may be on its way. In the document before, it would warn.
  menu.addEventListener("beforetoggle", () => { menu.firstChild.autofocus = true; });
  menu.addEventListener("toggle", ({ newState }) => {
    const open = newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (open) place(menu, button);
  });
  menu.addEventListener("keydown", (event) => move(menu, event));
  return h("span.menu-holder", {}, button, menu);
}

/** Put what is open beside its button. */
export function place(menu, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = at.bottom + height + EDGE < innerHeight;
  menu.style.left = `${Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE))}px`;
  menu.style.top = `${below ? at.bottom + 4 : Math.max(EDGE, at.top - height - 4)}px`;
}

function move(menu, event) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}
