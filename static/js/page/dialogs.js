// The question before something that cannot be undone.

import { $, h } from "./dom.js";
import { strings } from "./strings.js";

/** Ask; the promise is of whether the user agrees. */
export function confirm({ title, text, action }) {
  const dialog = $("confirm");
  return new Promise((resolve) => {
    const answer = (value) => () => dialog.close(value);
    const no = h("button.button", { type: "button", onclick: answer("no"), autofocus: true }, strings.cancel);
    const yes = h("button.button.danger", { type: "button", onclick: answer("yes") }, action);
    dialog.replaceChildren(h("h2", { id: "confirm-title" }, title), h("p", {}, text), h("div.dialog-buttons", {}, no, yes));
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}

/** Make a click beside a dialog close it. */
export function closeBeside(dialog) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
