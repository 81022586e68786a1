// Draws what the splitter says: settled nodes stay, live ones are made like the new ones.

import { codeText } from "./code-block.js";
import { build } from "./elements.js";
import { morphChildren } from "./morph.js";

export class Painter {
  /** `onCode(code)` is called with each <code> of a block that is settled. */
  constructor(element, strings, onCode) {
    this._root = { element, settled: element.childNodes.length };
    this._strings = strings;
    this._onCode = onCode;
    this._inside = null; // { element, settled } of the fence, table or list that is filled
  }

  draw(steps) {
    for (const step of steps) this[`_${step.do}`](step);
  }

  _add({ tokens, text }) {
    if (text !== undefined) {
      this._addText(text);
      return;
    }
    const part = this._inside ?? this._root;
    const from = part.settled;
    this._fill(part, tokens);
    part.settled = part.element.childNodes.length;
    for (const node of [...part.element.childNodes].slice(from)) this._tellOfCode(node);
  }

  _live({ tokens, text }) {
    if (text !== undefined) this._setLiveText(text);
    else this._fill(this._inside ?? this._root, tokens);
  }

  _after({ tokens }) {
    this._fill(this._root, tokens);
  }

  _fill(part, tokens) {
    if (!tokens.length && part.element.childNodes.length === part.settled) return;
    if (part.box && !part.element.parentNode && tokens.length) part.box.append(part.element);
    morphChildren(part.element, part.settled, build(tokens, this._strings));
    if (part.box && !part.element.firstChild) part.element.remove();
  }

  _open({ kind, tokens }) {
    this._fill(this._root, tokens);
    this._root.settled += 1;
    const made = this._root.element.lastChild;
    this._inside = { fence: insideOfFence, table: insideOfTable, list: insideOf }[kind](made);
  }

  _close() {
    const { code } = this._inside;
    this._inside = null;
    if (!code) return;
    code.normalize();
    this._onCode(code);
  }

  // The text of a fence is appended: no node is made again, however long it gets.
  _addText(text) {
    this._setLiveText("");
    const { code } = this._inside;
    if (code.lastChild?.nodeType === Node.TEXT_NODE && !hasElements(text)) code.lastChild.appendData(text);
    else code.append(codeText(text));
  }

  _setLiveText(text) {
    for (const node of this._inside.live) node.remove();
    const fragment = codeText(text);
    this._inside.live = [...fragment.childNodes];
    this._inside.code.append(fragment);
  }

  _tellOfCode(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    for (const code of node.querySelectorAll("pre > code")) this._onCode(code);
  }
}

const hasElements = (text) => codeText(text).childElementCount > 0;
const insideOf = (element) => ({ element, settled: 0 });
const insideOfFence = (block) => ({ code: block.querySelector("code"), live: [] });

function insideOfTable(box) {
  return { element: document.createElement("tbody"), settled: 0, box: box.firstChild };
}
