// The blocks of a reply, drawn in their order: texts, calls, and pictures.

import { CallView } from "./call-view.js";
import { h } from "./dom.js";
import { FileView } from "./file-view.js";
import { createMessageText } from "./message-text.js";

export class ReplyBlocks {
  #end; // the element that they stand before
  #actions;
  #views = [];

  constructor(end, actions) {
    this.#end = end;
    this.#actions = actions;
  }

  /** Draw them; `live` is whether more may come, `asks` whether what they wait for can be answered. */
  update(blocks, { live, asks }) {
    const shown = blocks.length ? blocks : [{ text: "" }];
    this.#cut(shown);
    shown.forEach((block, at) => {
      this.#views[at] ??= this.#made(block);
      this.#views[at].update(block, { live, asks, last: at === shown.length - 1 });
    });
  }

  /** Draw how long things take. */
  tick() {
    for (const view of this.#views) view.tick?.();
  }

  /** Let go of what is shown, for good. */
  release() {
    for (const view of this.#views) view.release?.();
  }

  /** Take away what is not there any more, and all after it. */
  #cut(blocks) {
    const kept = this.#views.findIndex((view, at) => !blocks[at] || !view.fits(blocks[at]));
    if (kept < 0) return;
    for (const view of this.#views.splice(kept)) {
      view.element.remove();
      view.release?.();
    }
  }

  #made(block) {
    const view = this.#viewOf(block);
    this.#end.before(view.element);
    return view;
  }

  #viewOf({ call, file }) {
    if (file) return new FileView(file, this.#actions.files);
    return call ? new CallView(call, this.#actions) : new TextView();
  }
}

class TextView {
  element = h("div.text", { dir: "auto" });
  #text = createMessageText(this.element);

  fits({ text }) {
    return text !== undefined;
  }

  update({ text }, { live, last }) {
    this.#text.set(text);
    if (!live || !last) this.#text.finish();
    this.element.classList.toggle("growing", live && last);
    // A translator replaces the nodes that the text is added to.
    if (live) this.element.translate = false;
    else this.element.removeAttribute("translate");
  }
}
