// Where files come from: the clipboard, a drop anywhere on the page, the button, a phone's camera.

import { $ } from "./dom.js";
import { strings } from "./strings.js";

/** `add(files)` attaches them; `tell(text)` says why not. */
export function attachInputs({ add, tell }) {
  $("attach").addEventListener("click", () => $("attach-files").click());
  $("attach-files").addEventListener("change", ({ target }) => {
    add([...target.files]);
    target.value = ""; // the same one may be chosen again
  });
  addEventListener("paste", (event) => paste(event, add, tell));
  watchDrops(add, tell);
}

const isOpen = () => document.querySelector("dialog[open]") !== null;

function paste(event, add, tell) {
  const { files = [], types = [] } = event.clipboardData ?? {};
  // Text that is copied from an office program comes with a picture of itself.
  const isText = types.includes("text/html") && types.includes("text/plain");
  if (!files.length || isText || isOpen()) return;
  const field = event.target.closest?.("textarea, input");
  if (field && field !== $("message")) {
    if (field.closest(".editor")) tell(strings.notInEdit);
    return;
  }
  event.preventDefault();
  add([...files]);
  $("message").focus({ preventScroll: true });
}

function watchDrops(add, tell) {
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files") ?? false;
  const show = (shown) => { $("drop").hidden = !shown; };
  let entered = null; // what they are over: that is entered before the one before is left
  const over = (event) => {
    if (!hasFiles(event)) return;
    if (event.type === "dragenter") entered = event.target;
    event.preventDefault(); // else the browser would open it in the place of the page
    event.dataTransfer.dropEffect = isOpen() ? "none" : "copy";
    show(!isOpen());
  };
  addEventListener("dragenter", over);
  addEventListener("dragover", over);
  addEventListener("dragleave", ({ target }) => target === entered && show(false));
  addEventListener("drop", (event) => {
    show(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (isOpen()) return;
    const dropped = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
    const files = dropped.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile()).filter(Boolean);
    add(files);
    if (files.length < dropped.length) tell(strings.noFolders);
    $("message").focus({ preventScroll: true });
  });
}
