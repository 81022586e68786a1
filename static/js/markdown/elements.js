// Tokens to DOM, with createElement and text nodes only: nothing a model wrote is ever parsed as HTML.
// What an element may be is this module's to say; a token it does not know is shown as its text.

import { codeBlock, codeText } from "./code-block.js";
import { hostToShow, target, visible } from "./links.js";

// A reply's headings are below those of the page it is shown in.
const HEADINGS = { h1: "h3", h2: "h4", h3: "h5", h4: "h6", h5: "h6", h6: "h6" };
const BLOCKS = new Set(["p", "ul", "ol", "li", "blockquote", "thead", "tbody", "tr", "th", "td"]);
const INLINE = new Set(["em", "strong", "s"]);
const CELLS = new Set(["th", "td"]);
const UNDIRECTED = new Set(["li", "thead", "tbody", "tr"]);
const ALIGNMENT = /text-align:(left|center|right)/;
const TASK = /^\[([ xX])\](?=\s)/;

/** Return a fragment of what these tokens say. */
export function build(tokens, strings) {
  const fragment = document.createDocumentFragment();
  const open = [fragment];
  tokens.forEach((token, at) => {
    if (token.nesting < 0) open.pop();
    else if (token.type === "inline") appendInline(open.at(-1), token.children, taskOf(tokens, at), strings);
    else if (token.type === "unparsed") open.at(-1).append(token.content);
    else appendBlock(open, token, strings);
  });
  return fragment;
}

function appendBlock(open, token, strings) {
  const made = blockFor(token, strings);
  open.at(-1).append(made);
  if (token.nesting > 0) open.push(token.type === "table_open" ? made.firstChild : made);
}

function blockFor(token, strings) {
  if (token.type === "fence") return codeBlock(token.content, languageOf(token), strings);
  if (token.type === "code_block") return codeBlock(token.content, "", strings);
  if (token.type === "hr") return document.createElement("hr");
  if (token.type === "table_open") return tableBox(strings);
  const tag = HEADINGS[token.tag] ?? token.tag;
  if (!BLOCKS.has(tag) && !HEADINGS[token.tag]) return document.createTextNode(token.content);
  return block(tag, token);
}

function block(tag, token) {
  const made = document.createElement(tag);
  // Once for a whole list or quote: "auto" looks past what is inside and has a direction of its own.
  if (CELLS.has(tag) || (token.level === 0 && !UNDIRECTED.has(tag))) made.dir = "auto";
  const start = tag === "ol" && token.attrGet("start");
  if (start || start === 0) made.start = Number(start);
  const align = ALIGNMENT.exec(token.attrGet("style") ?? "");
  if (align) made.className = `md-${align[1]}`; // a style attribute is against the policy
  return made;
}

// Scrolls by itself, and so has to be reached by keyboard.
function tableBox(strings) {
  const box = document.createElement("div");
  box.className = "md-table";
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", strings.table);
  box.append(document.createElement("table"));
  return box;
}

const languageOf = (token) => token.info.trim().split(/\s+/)[0].slice(0, 40);

// The first paragraph of an item may say that the item is a task.
function taskOf(tokens, at) {
  const inItem = tokens[at - 2]?.type === "list_item_open" && tokens[at - 1].type === "paragraph_open";
  return inItem ? TASK.exec(tokens[at].children[0]?.content ?? "") : null;
}

function appendInline(parent, children, task, strings) {
  let from = 0;
  if (task && children[0].type === "text") {
    parent.append(checkbox(task[1] !== " ", strings), children[0].content.slice(task[0].length));
    from = 1;
  }
  const open = [parent];
  for (const token of children.slice(from)) {
    if (token.nesting < 0) close(open.pop());
    else if (token.nesting > 0) open.push(inlineFor(token));
    else open.at(-1).append(leafFor(token));
    if (token.nesting > 0) open.at(-2).append(open.at(-1));
  }
  parent.normalize();
}

function checkbox(checked, strings) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.disabled = true;
  box.toggleAttribute("checked", checked);
  box.setAttribute("aria-label", checked ? strings.taskDone : strings.taskOpen);
  return box;
}

function inlineFor(token) {
  if (token.type === "link_open") return link(token);
  return document.createElement(INLINE.has(token.tag) ? token.tag : "span");
}

function leafFor(token) {
  if (token.type === "code_inline") return inlineCode(token.content);
  if (token.type === "hardbreak") return document.createElement("br");
  return document.createTextNode(token.type === "softbreak" ? "\n" : token.content);
}

function inlineCode(text) {
  const code = document.createElement("code");
  code.dir = "ltr";
  code.translate = false;
  code.append(codeText(text));
  return code;
}

function link(token) {
  const url = target(token.attrGet("href") ?? "");
  if (!url) return document.createElement("span");
  const made = document.createElement("a");
  made.setAttribute("href", url.href);
  made.rel = "noopener noreferrer nofollow";
  made.target = "_blank";
  made.dir = "auto";
  const title = token.attrGet("title");
  if (title) made.title = visible(title);
  return made;
}

// A link's label is whole when the link is closed: only then can it be told what it looks like.
function close(element) {
  if (element.localName !== "a") return;
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) nodes.currentNode.data = visible(nodes.currentNode.data);
  const url = new URL(element.getAttribute("href"));
  const host = hostToShow(url, element.textContent);
  if (!element.textContent.trim()) element.append(url.href);
  if (!host) return;
  const shown = document.createElement("bdi");
  shown.className = "md-host";
  shown.textContent = ` (${host})`;
  element.append(shown);
}
