// A reply's text in its element: as Markdown if the library is there, otherwise as it was written.

import { strings } from "./strings.js";

const LIBRARY = "../markdown/markdown-view.js";
let library = null; // the promise of it, once

/** Load the Markdown library, if the server said that there is one. */
function loadLibrary() {
  library ??= "markdown" in document.body.dataset ? import(LIBRARY).catch(() => null) : Promise.resolve(null);
  return library;
}

/** Return { set(text), finish(), text }; a text that begins with the one before is added to it. */
export function createMessageText(element) {
  const plain = document.createTextNode("");
  element.append(plain);
  element.classList.add("plain");
  let view = plainView(element, plain);
  let finished = false;
  loadLibrary().then((module) => {
    if (!module) return;
    const { text } = view;
    element.classList.replace("plain", "rich");
    view = module.createMarkdownView(element, { strings });
    view.set(text);
    if (finished) view.finish();
  });
  return {
    set(text) {
      if (text === view.text) return;
      if (finished || !text.startsWith(view.text)) view.set(text);
      else view.append(text.slice(view.text.length));
      finished = false;
    },
    finish() {
      if (!finished) view.finish();
      finished = true;
    },
    get text() {
      return view.text;
    },
  };
}

function plainView(element, node) {
  return {
    append: (text) => node.appendData(text),
    set(text) {
      node.data = text;
      element.replaceChildren(node); // a translator may have put something in its place
    },
    finish() {},
    get text() {
      return node.data;
    },
  };
}
