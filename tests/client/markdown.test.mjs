// The pure parts of the Markdown view: where a growing text is cut, what is shown of its end, links.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { calmed, shownLength } from "../../static/js/markdown/calm.js";
import { hostToShow, isAllowed, target } from "../../static/js/markdown/links.js";
import { createParser } from "../../static/js/markdown/parser.js";
import { Splitter } from "../../static/js/markdown/splitter.js";
import { seeded } from "./support/random.js";

const SAMPLES = JSON.parse(
  readFileSync(new URL("../support/markdown_samples.json", import.meta.url), "utf8"),
);
const JOINS = ["\n", "\n\n", "\n\n\n", "", "\n    ", "\n  "];
const parse = createParser();

const plain = ({ type, tag, content, attrs, children }) => (
  [type, tag, type === "inline" ? "" : content, attrs?.join() ?? "", (children ?? []).map(plain)]
);

/** What the splitter has settled, as the tokens of one document. */
class Settled {
  tokens = [];
  inside = null;

  take(steps) {
    for (const step of steps) this[step.do]?.(step);
  }

  open({ kind, tokens }) {
    this.inside = { kind, tokens, parts: [], text: "" };
  }

  add({ tokens, text }) {
    if (text !== undefined) this.inside.text += text;
    else (this.inside?.parts ?? this.tokens).push(...tokens.map(plain));
  }

  close() {
    const { kind, tokens, parts, text } = this.inside;
    const [first, ...others] = tokens.map(plain);
    this.inside = null;
    if (kind === "fence") first[2] = text;
    const body = ["tbody_open", "tbody_close"].map((type) => [type, "tbody", "", "", []]);
    const filled = kind === "table" && parts.length ? [body[0], ...parts, body[1]] : parts;
    this.tokens.push(first, ...others.slice(0, -1), ...filled, ...others.slice(-1));
  }
}

function splitAt(text, pieces) {
  const splitter = new Splitter(parse);
  const settled = new Settled();
  for (const piece of pieces(text)) {
    splitter.push(piece);
    settled.take(splitter.advance());
  }
  settled.take(splitter.advance(true));
  return settled.tokens;
}

const byCharacter = (text) => text.split("");
const byLine = (text) => text.split(/(?<=\n)/);
const atOnce = (text) => [text];
const byChance = (random) => (text) => {
  const pieces = [];
  for (let at = 0; at < text.length;) {
    const size = 1 + random.below(random.pick([2, 8, 40]));
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
};

function composed(random) {
  let text = "";
  for (let n = 0; n < 2 + random.below(4); n += 1) text += random.pick(SAMPLES) + random.pick(JOINS);
  return text;
}

for (const [name, pieces] of Object.entries({ byCharacter, byLine, atOnce })) {
  test(`each sample, ${name}, is settled as it is parsed at once`, () => {
    for (const text of SAMPLES) {
      assert.deepEqual(splitAt(text, pieces), parse(text).map(plain), JSON.stringify(text));
    }
  });
}

test("samples after each other, cut anywhere, are settled as they are parsed at once", () => {
  const random = seeded(1);
  for (let n = 0; n < Number(process.env.MARKDOWN_ROUNDS ?? 1500); n += 1) {
    const text = composed(random);
    const cut = random.pick([byCharacter, byLine, byChance(random)]);
    assert.deepEqual(splitAt(text, cut), parse(text).map(plain), JSON.stringify(text));
  }
});

test("emphasis is emphasis beside letters of scripts without spaces", () => {
  const of = (text) => parse(text)[1].children.filter(({ content }) => content).map(({ content, level }) => [content, level]);
  assert.deepEqual(of("これは**「強調」**です"), [["これは", 0], ["「強調」", 1], ["です", 0]]);
  assert.deepEqual(of("**这是（重点）。**然后"), [["这是（重点）。", 1], ["然后", 0]]);
  assert.deepEqual(of("**중요(重要)**는"), [["중요(重要)", 1], ["는", 0]]);
  assert.deepEqual(of("a**\"b\"**c"), [["a**\"b\"**c", 0]]);
});

test("no block is parsed again and again while it grows", () => {
  const counted = { characters: 0 };
  const counting = (source, options) => {
    counted.characters += source.length;
    return parse(source, options);
  };
  const bodies = {
    fence: `\`\`\`py\n${"x = 1\n".repeat(2000)}`,
    table: `|a|b|\n|-|-|\n${"| 1 | 2 |\n".repeat(2000)}`,
    list: "- item\n".repeat(2000),
    paragraphs: "word word\n\n".repeat(2000),
  };
  for (const [name, text] of Object.entries(bodies)) {
    const splitter = new Splitter(counting);
    counted.characters = 0;
    for (const line of byLine(text)) {
      splitter.push(line);
      splitter.advance();
    }
    splitter.advance(true);
    assert.ok(counted.characters < text.length * 12, `${name}: ${counted.characters}`);
  }
});

test("what is open at the end is shown as if it were closed", () => {
  const shown = {
    "a **bo": "a **bo**", "a *b **c": "a *b **c***", "a **": "a", "a **b*": "a **b**", "a **b** c": "a **b** c",
    "a `co": "a `co`", "a `": "a", "a ``b` c": "a ``b` c``", "snake_ca": "snake_ca", "a ~~b": "a ~~b~~",
    "2 * 3": "2 * 3", "**a ": "**a**", "a [b": "a b", "a [b]": "a b", "a [b](htt": "a b", "a ![b](htt": "a b",
    "[b](https://e.com) c": "[b](https://e.com) c", "\\*a": "\\*a", "`a*b` *c": "`a*b` *c*",
  };
  for (const [text, wanted] of Object.entries(shown)) assert.equal(calmed(text), wanted, text);
});

test("what is made to be slow to look at is not", () => {
  const began = performance.now();
  const parts = ["(aaaa", "[a](", "*a **b ", "`a ``b ", "[", "![a](b(", "_a__", "> "];
  for (const part of parts) {
    const text = `[a](${part.repeat(2000)} x\n`;
    calmed(text);
    shownLength(text);
  }
  assert.ok(performance.now() - began < 5_000);
});

test("a line that may turn out as several things is not shown yet", () => {
  const shown = {
    "text\n-": "text\n", "text\n- a": "text\n- a", "a\n1": "a\n", "a\n1. b": "a\n1. b", "a\n```p": "a\n",
    "a\n\n| a | b |": "a\n\n", "a\n\n| a | b |\n|-": "a\n\n", "a\n\n| a | b |\ntext": "a\n\n| a | b |\ntext",
    "a": "a", "#": "", "> ": "", "- ```j": "",
  };
  for (const [text, wanted] of Object.entries(shown)) {
    assert.equal(text.slice(0, shownLength(text)), wanted, JSON.stringify(text));
  }
});

test("links are to http, https and mailto only", () => {
  for (const good of ["http://a.b", "https://a.b/c?d#e", "mailto:a@b.c", "HTTPS://A.B"]) assert.ok(isAllowed(good), good);
  const bad = ["javascript:alert(1)", "data:text/html,x", "//a.b", "/a", "a", "#a", "", "file:///a", "https:a", "vbscript:x",
    " javascript:x", "java\nscript:x", "blob:https://a.b/c", "https://", "mailto", "intent://a"];
  for (const one of bad) assert.ok(!isAllowed(one), one);
});

test("a label that looks like another address is shown with its host", () => {
  const shown = (address, label) => hostToShow(target(address), label);
  assert.equal(shown("https://evil.example", "https://bank.example"), "evil.example");
  assert.equal(shown("https://www.bank.example/a", "bank.example"), "");
  assert.equal(shown("https://bank.example.evil.example", "bank.example"), "bank.example.evil.example");
  assert.equal(shown("http://google.com@evil.example/", "http://google.com@evil.example/"), "evil.example");
  assert.equal(shown("https://evil.example", "b\u200bank.example"), "evil.example");
  assert.equal(shown("https://evil.example", "my bank"), "");
  assert.equal(shown("https://\u0430pple.com", "apple"), "xn--pple-43d.com");
  assert.equal(shown("mailto:a@evil.example", "a@bank.example"), "evil.example");
});
