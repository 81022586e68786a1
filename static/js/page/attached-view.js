// What is attached to the message that is being written: thumbnails and chips with their progress.

import { $, h, iconButton, setText } from "./dom.js";
import { nameOf, sizeOf } from "./formats.js";
import { icon } from "./icons.js";
import { attachedTo } from "./state.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

/** `actions` is { pictures, retry(key), remove(key), dontWait() }. */
export function attachedView(store, actions) {
  const list = $("attached");
  const note = $("attach-note");
  const words = h("span");
  const cancel = h("button.text-button", { type: "button", onclick: actions.dontWait }, strings.cancel);
  note.append(words, " ", cancel);
  const views = new Map(); // by key

  store.show((state, before) => {
    if (changed(state, before, "attached", "sessionId")) draw(attachedTo(state, state.sessionId));
    if (!changed(state, before, "attachNote", "sendWaits")) return;
    const said = state.sendWaits !== null ? strings.sendWaits : state.attachNote;
    note.hidden = !said;
    cancel.hidden = state.sendWaits === null;
    setText(words, said ?? "");
  });

  function draw(items) {
    list.hidden = items.length === 0;
    const keys = new Set(items.map(({ key }) => key));
    for (const [key, view] of views) {
      if (keys.has(key)) continue;
      const focused = view.element.contains(document.activeElement);
      const next = view.element.nextElementSibling ?? view.element.previousElementSibling;
      view.release();
      views.delete(key);
      if (focused) (next?.querySelector("[data-act=remove]") ?? $("message")).focus({ preventScroll: true });
    }
    items.forEach((item, at) => {
      if (!views.has(item.key)) views.set(item.key, new ItemView(item, actions));
      const view = views.get(item.key);
      if (list.children[at] !== view.element) list.insertBefore(view.element, list.children[at] ?? null);
      view.update(item);
    });
  }
}

class ItemView {
  element;
  #progress;
  #error = h("p.attached-error", { hidden: true, dir: "auto" });
  #again;
  #held = null;

  constructor(item, { pictures, retry, remove }) {
    const { key, part, preview } = item;
    const name = nameOf(part);
    this.#progress = h("progress", { max: 1, "aria-label": strings.uploading(name) });
    this.#again = iconButton("again", strings.uploadAgain(name), () => retry(key), { hidden: true });
    const off = iconButton("close", strings.removeFile(name), () => remove(key), { "data-act": "remove" });
    const shown = part.type === "image" ? this.#picture(part, preview, name, pictures) : icon("file");
    const words = h("span.attached-words", {}, h("span.file-name", { dir: "auto" }, name), h("span.file-size", {}, sizeOf(part.bytes ?? 0)), this.#error);
    this.element = h("li.attached-item", { title: name }, shown, words, this.#again, off, this.#progress);
  }

  update({ state, sent, error }) {
    this.element.dataset.state = state;
    this.#progress.hidden = !["waiting", "uploading"].includes(state);
    this.#progress.value = sent;
    this.#again.hidden = state !== "failed";
    this.#error.hidden = state !== "failed";
    setText(this.#error, error ?? "");
  }

  release() {
    this.element.remove();
    this.#held?.release();
  }

  #picture(part, preview, alt, pictures) {
    const image = h("img.attached-picture", { alt });
    const other = () => image.replaceWith(icon("file")); // of a kind that this browser does not show
    image.onerror = other;
    if (preview) {
      image.src = preview;
      return image;
    }
    this.#held = pictures.hold(part.attachment_id);
    this.#held.url.then((url) => { image.src = url; }, other);
    return image;
  }
}
