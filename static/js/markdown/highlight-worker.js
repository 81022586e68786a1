// Colours code, away from the page: a grammar that takes long on some code takes this thread's time.
// In: {id, code, language}. Out: {id, chunks}: of some lines each, made of strings and [class, parts];
// null for an unknown language.

import highlighter from "../../vendor/highlight.min.mjs";

const CLASS = /^[A-Za-z0-9_-]+$/;
const LINES = 40; // in a chunk: what is drawn, and laid out, at a time

self.addEventListener("message", ({ data: { id, code, language } }) => {
  self.postMessage({ id, chunks: chunksOf(code, language) });
});

function chunksOf(code, language) {
  if (!highlighter.getLanguage(language)) return null;
  try {
    // Its result as HTML would have to be parsed; this is the tree that HTML is made of.
    const { _emitter: emitter } = highlighter.highlight(code, { language, ignoreIllegals: true });
    return new Chunks().read(emitter.root.children);
  } catch {
    return null;
  }
}

/** Cuts the tree after every so many lines; what is open there is opened again after. */
class Chunks {
  constructor() {
    this._chunks = [[]];
    this._open = []; // class names, from the outside in
    this._into = this._chunks[0];
    this._lines = 0;
  }

  read(nodes) {
    this._walk(nodes);
    if (!this._chunks.at(-1).length) this._chunks.pop();
    return this._chunks;
  }

  _walk(nodes) {
    for (const node of nodes) {
      if (typeof node === "string") this._text(node);
      else this._span(node);
    }
  }

  _span({ scope, children }) {
    this._open.push(className(scope ?? ""));
    this._enter(this._open.at(-1));
    this._walk(children);
    this._open.pop();
    this._reenter();
  }

  _text(text) {
    for (const line of text.split(/(?<=\n)/)) {
      if (this._lines === LINES) this._next();
      if (typeof this._into.at(-1) === "string") this._into[this._into.length - 1] += line;
      else if (line) this._into.push(line);
      if (line.endsWith("\n")) this._lines += 1;
    }
  }

  _next() {
    this._lines = 0;
    this._chunks.push([]);
    this._into = this._chunks.at(-1);
    for (const name of this._open) this._enter(name);
  }

  _enter(name) {
    const parts = [];
    this._into.push([name, parts]);
    this._into = parts;
  }

  // Back in what is open now: the last span at each depth of the last chunk.
  _reenter() {
    this._into = this._chunks.at(-1);
    for (let depth = 0; depth < this._open.length; depth += 1) this._into = this._into.at(-1)[1];
  }
}

// "title.function" is class "hljs-title function_", as in highlight.js's own renderer.
function className(scope) {
  const [first, ...others] = scope.replace("language:", "language-").split(".");
  const names = [first.startsWith("language-") ? first : `hljs-${first}`];
  others.forEach((name, depth) => names.push(name + "_".repeat(depth + 1)));
  return names.filter((name) => CLASS.test(name)).join(" ");
}
