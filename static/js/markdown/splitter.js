// Cuts a text that grows into what is settled, drawn once, and the open rest, drawn again with each
// piece. A block is settled when nothing that can still come changes it; the parser itself says where
// blocks start, and this module how many lines after that are needed to be sure:
//   - a block depends on its own lines and on where the next one starts; that is decided by the next
//     one's first line and, as it may be a table's, its second;
//   - after a blank line all but lists and indented code are over.
// Of a fence only new lines are parsed (after its first line again), of a table only new rows (after
// its head), of a list only the items that are not settled: none of them costs more as it grows.
// Pure: no DOM. `advance` returns what is to be drawn; painter.js draws it:
//   add(what)        settled, for good     live(what)   takes the place of the last live
//   open(kind, tokens) / close()           a fence, a table or a list that is filled
//   after(tokens)    live blocks after a list that may be over

import { shownLength } from "./calm.js";

const LINE_END = /\r\n|\r/g;
const GOES_ON_AFTER_BLANK = new Set(["bullet_list_open", "ordered_list_open", "code_block"]);
const LISTS = new Set(["bullet_list_open", "ordered_list_open"]);
const FENCE = /^ {0,3}(?:`+|~+)/; // without what follows: "~~~ a|b" could be a table's head
const TICKS_OR_TILDES = /^[ \t]*[`~]+[ \t]*$/; // may become the end of a fence

/** Return the blocks at the top of a document: their tokens and the line they start in. */
export function blocksOf(tokens) {
  const blocks = [];
  for (const token of tokens) {
    if (token.level === 0 && token.nesting >= 0) {
      blocks.push({ type: token.type, start: token.map[0], end: token.map[1], tokens: [] });
    }
    blocks.at(-1).tokens.push(token);
  }
  return blocks;
}

/** Return the items of a list's tokens. */
export function itemsOf(tokens) {
  const items = [];
  for (const token of tokens.slice(1, -1)) {
    if (token.level === 1 && token.type === "list_item_open") {
      items.push({ start: token.map[0], tokens: [] });
    }
    items.at(-1).tokens.push(token);
  }
  return items;
}

/** Return the tokens of the rows in a table's body. */
export function rowsOf(tokens) {
  const from = tokens.findIndex((token) => token.type === "tbody_open");
  const to = tokens.findIndex((token) => token.type === "tbody_close");
  return from < 0 ? [] : tokens.slice(from + 1, to);
}

export class Splitter {
  constructor(parse) {
    this._parse = parse;
    this._rest = ""; // what is not settled
    this._endedInCr = false; // an LF that comes now belongs to it
    this._inside = null; // { kind, prefix, type } of the fence, table or list that is filled
  }

  /** Take more text. */
  push(piece) {
    if (!piece) return;
    const text = this._endedInCr && piece[0] === "\n" ? piece.slice(1) : piece;
    this._endedInCr = piece.endsWith("\r");
    this._rest += text.replace(LINE_END, "\n");
  }

  /** Return what is to be drawn now; `final`: nothing more will come. */
  advance(final = false) {
    const drawn = [];
    const steps = { fence: this._fence, table: this._table, list: this._list };
    let again = true;
    while (again) again = (steps[this._inside?.kind] ?? this._root).call(this, drawn, final);
    return drawn;
  }

  _root(drawn, final) {
    if (final) return this._whole(drawn);
    this._rest = this._rest.replace(/^(?:[ \t]*\n)+/, "");
    const blocks = blocksOf(this._parse(this._shown(), { open: true }));
    const sure = blocks.findLastIndex(({ start }, at) => at > 0 && this._isSure(start, blocks[at - 1].type));
    if (sure > 0) {
      drawn.push({ do: "add", tokens: blocks.slice(0, sure).flatMap(({ tokens }) => tokens) });
      this._drop(blocks[sure].start);
      return true;
    }
    if (blocks.length === 1 && this._enter(blocks[0], drawn)) return true;
    drawn.push({ do: "live", tokens: blocks.flatMap(({ tokens }) => tokens) });
    return false;
  }

  _whole(drawn) {
    drawn.push({ do: "add", tokens: this._parse(this._rest) });
    this._rest = "";
    return false;
  }

  // Blocks whose parts are settled one by one, once it is sure that they are such blocks.
  _enter({ type, tokens }, drawn) {
    const [first, second] = this._lines();
    if (first === undefined) return false;
    if (type === "fence" && (second !== undefined || !first.includes("|"))) {
      tokens[0].content = ""; // comes line by line
      return this._open("fence", 1, tokens, drawn);
    }
    if (second === undefined) return false;
    if (type === "table_open") return this._open("table", 2, headOf(tokens), drawn);
    return LISTS.has(type) && this._open("list", 0, [tokens[0], tokens.at(-1)], drawn);
  }

  _open(kind, lines, tokens, drawn) {
    const dropped = this._drop(lines);
    const prefix = kind === "fence" ? `${FENCE.exec(dropped)[0]}\n` : dropped;
    this._inside = { kind, prefix, lines, type: tokens[0].type, markup: tokens[0].markup };
    drawn.push({ do: "open", kind, tokens });
    return true;
  }

  _close(drawn) {
    this._inside = null;
    drawn.push({ do: "close" });
    return true;
  }

  _fence(drawn, final) {
    const source = final ? this._rest : this._rest.slice(0, this._rest.lastIndexOf("\n") + 1);
    if (source) {
      const { content, map } = this._after(source)[0];
      drawn.push({ do: "add", text: content });
      this._drop(source);
      const inside = map[1] - 1 - lineCount(content);
      if (inside > 0 || final) return this._giveBack(source, map[1] - 1, drawn);
    } else if (final) {
      return this._close(drawn);
    }
    const held = TICKS_OR_TILDES.test(this._rest);
    const text = held || !this._rest ? "" : this._after(this._rest)[0].content;
    drawn.push({ do: "live", text });
    return false;
  }

  // The block took so many lines of the source: the others are of what follows.
  _giveBack(source, lines, drawn) {
    this._rest = source.slice(lengthOf(source, lines)) + this._rest;
    return this._close(drawn);
  }

  _table(drawn, final) {
    const source = final ? this._rest : this._rest.slice(0, this._rest.lastIndexOf("\n") + 1);
    if (source) {
      const tokens = this._after(source);
      const taken = tokens[0].map[1] - this._inside.lines;
      drawn.push({ do: "add", tokens: rowsOf(blocksOf(tokens)[0].tokens) });
      this._drop(source);
      if (taken < lineCount(source) || final) return this._giveBack(source, taken, drawn);
    } else if (final) {
      return this._close(drawn);
    }
    const shown = this._rest && this._after(this._shown(), true);
    drawn.push({ do: "live", tokens: shown ? rowsOf(blocksOf(shown)[0].tokens) : [] });
    if (shown) drawn.push({ do: "after", tokens: blocksOf(shown).slice(1).flatMap((one) => one.tokens) });
    return false;
  }

  _list(drawn, final) {
    const tokens = final ? this._parse(this._rest) : this._parse(this._shown(), { open: true });
    const blocks = blocksOf(tokens);
    const items = blocks.length && LISTS.has(blocks[0].type) ? itemsOf(blocks[0].tokens) : [];
    const next = blocks[1];
    if (final || (next && this._isSure(next.start, blocks[0].type))) {
      drawn.push({ do: "add", tokens: items.flatMap((item) => item.tokens) });
      this._drop(next ? next.start : this._rest);
      return this._close(drawn);
    }
    const sure = items.findLastIndex(({ start }, at) => at > 0 && this._isListAgain(start));
    if (sure > 0) {
      drawn.push({ do: "add", tokens: items.slice(0, sure).flatMap((item) => item.tokens) });
      this._drop(items[sure].start);
      return true;
    }
    drawn.push({ do: "live", tokens: items.flatMap((item) => item.tokens) });
    drawn.push({ do: "after", tokens: blocks.slice(1).flatMap((block) => block.tokens) });
    return false;
  }

  // Parsed by itself an item starts a list of the same kind, but for "1. a | b" over "-|-".
  _isListAgain(start) {
    const lines = this._lines();
    if (lines.length < start + 2) return false;
    const [first] = this._parse(`${lines.slice(start, start + 2).join("\n")}\n`);
    return first?.type === this._inside.type && first.markup === this._inside.markup;
  }

  // Will the block that starts in this line start there, whatever comes?
  _isSure(start, typeBefore) {
    const lines = this._lines();
    const blank = start > 0 && (lines[start - 1] ?? "x").trim() === "";
    if (blank && !GOES_ON_AFTER_BLANK.has(typeBefore)) return true;
    return lines.length >= start + (blank ? 1 : 2);
  }

  _shown() {
    const inTable = this._inside?.kind === "table";
    return this._rest.slice(0, shownLength(this._rest, { inTable }));
  }

  _lines() {
    return this._rest.split("\n").slice(0, -1); // those that are at their end
  }

  _after(source, open = false) {
    return this._parse(this._inside.prefix + source, { open });
  }

  // So many lines, or such a text, are settled.
  _drop(what) {
    const length = typeof what === "string" ? what.length : lengthOf(this._rest, what);
    const dropped = this._rest.slice(0, length);
    this._rest = this._rest.slice(length);
    return dropped;
  }
}

function headOf(tokens) {
  const to = tokens.findIndex((token) => token.type === "thead_close");
  return [...tokens.slice(0, to + 1), tokens.at(-1)];
}

function lengthOf(text, lines) {
  let at = 0;
  for (let n = 0; n < lines; n += 1) {
    const end = text.indexOf("\n", at);
    if (end < 0) return text.length;
    at = end + 1;
  }
  return at;
}

/** Return the number of lines, the last one with or without its end. */
function lineCount(text) {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return text === "" || text.endsWith("\n") ? lines : lines + 1;
}
