// A message's Markdown, drawn as it comes. docs/markdown.md says what is drawn, and what never is.
//
//   const view = createMarkdownView(element, { strings });
//   view.append(piece); ...; await view.finish();
//
// What is settled is drawn once; the open rest again with the next frame, once for all pieces since
// the last. In the end the DOM is that of `renderMarkdown(whole text)`, however the text was cut.

import { enableCopying } from "./copy-button.js";
import { build } from "./elements.js";
import { highlight } from "./highlighter.js";
import { Painter } from "./painter.js";
import { createParser } from "./parser.js";
import { Splitter } from "./splitter.js";

const HIDDEN_MS = 250; // a hidden page has no frames; its text is kept up, for who listens or searches
const REST = 4; // drawing takes a fifth of the time at most, whatever there is to be drawn
const parse = createParser();

export const STRINGS = {
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Not copied",
  table: "Table",
  taskDone: "Done",
  taskOpen: "To do",
};

/** Return a fragment of a whole text, without colours and without working buttons. */
export function renderMarkdown(text, strings = STRINGS) {
  return build(parse(text), strings);
}

/** Return a view that draws into `element`, which is emptied. */
export function createMarkdownView(element, { strings = {} } = {}) {
  return new MarkdownView(element, { ...STRINGS, ...strings });
}

class MarkdownView {
  constructor(element, strings) {
    this._element = element;
    this._strings = strings;
    element.classList.add("markdown");
    this._endCopying = enableCopying(element, strings);
    this._start();
  }

  /** All that was appended. */
  get text() {
    return this._text;
  }

  /** Take a piece of the text; it is drawn with the next frame. */
  append(piece) {
    if (this._finished) return this.set(this._text + piece); // what was drawn as its end is none
    this._text += piece;
    this._splitter.push(piece);
    this._schedule();
  }

  /** Start again with this text. */
  set(text) {
    this._cancel();
    this._start();
    this.append(text);
    this.flush();
  }

  /** Draw what has come now, without waiting for the next frame. */
  flush() {
    this._cancel();
    this._draw(false);
  }

  /** Draw the end of the text; resolves when its code has its colours. */
  async finish() {
    this._finished = true;
    this._cancel();
    this._draw(true);
    await Promise.all(this._colouring);
  }

  /** Leave the element as it is; nothing is drawn any more. */
  close() {
    this._cancel();
    this._endCopying();
  }

  _start() {
    this._element.replaceChildren();
    this._text = "";
    this._finished = false;
    this._colouring = new Set();
    this._splitter = new Splitter(parse);
    this._painter = new Painter(this._element, this._strings, (code) => this._colour(code));
    this._restUntil = 0;
    this._cancelDrawing = null;
  }

  _colour(code) {
    const done = highlight(code).finally(() => this._colouring.delete(done));
    this._colouring.add(done);
  }

  _schedule() {
    if (this._cancelDrawing) return;
    const draw = () => {
      this._cancelDrawing = null;
      this._draw(false);
    };
    const wait = document.hidden ? HIDDEN_MS : this._restUntil - performance.now();
    this._cancelDrawing = wait > 0 ? afterTime(wait, draw) : withFrame(draw);
  }

  _cancel() {
    this._cancelDrawing?.();
    this._cancelDrawing = null;
  }

  _draw(final) {
    const began = performance.now();
    this._painter.draw(this._splitter.advance(final));
    const ended = performance.now();
    this._restUntil = ended + (ended - began) * REST;
  }
}

function afterTime(wait, draw) {
  const timer = setTimeout(draw, wait);
  return () => clearTimeout(timer);
}

// A page that is hidden while it waits for a frame draws when it is shown again, or is finished.
function withFrame(draw) {
  const frame = requestAnimationFrame(draw);
  return () => cancelAnimationFrame(frame);
}
