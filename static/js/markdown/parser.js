// Markdown to tokens: CommonMark with tables, strikethrough and bare links, by markdown-it.
// Off, because the text is a model's: raw HTML, images, links to anywhere but http, https and mailto.
// Off, because a reply is drawn as it comes: reference definitions, which would change what is
// drawn already ("[a][1]" stays as it is written).

import MarkdownIt from "../../vendor/markdown-it.esm.min.mjs";
import cjkFriendly from "../../vendor/markdown-it-cjk-friendly.mjs";

import { calmed } from "./calm.js";
import { isAllowed } from "./links.js";

const LONGEST_OPEN = 10_000; // characters of a paragraph that is parsed again with each frame
const OFF = ["html_block", "html_inline", "image", "reference"];

/** Return `parse(source, {open})`: the tokens of markdown-it. `open`: the source is not at its end. */
export function createParser() {
  const markdown = new MarkdownIt({ html: false, linkify: true, breaks: false });
  markdown.use(cjkFriendly); // CommonMark's emphasis wants spaces, which Chinese and Japanese have not
  markdown.disable(OFF);
  markdown.validateLink = isAllowed;
  // Names without a scheme: "setup.py" and "node.js" are files more often than hosts.
  markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  markdown.core.ruler.before("inline", "calm", calmTheEnd);
  markdown.core.ruler.push("unfinished_link", unlinkTheEnd);
  return (source, { open = false } = {}) => markdown.parse(source, { open });
}

/** Return the inline token that the source ends in, if it does: more may come, right after it. */
function lastInline(state) {
  if (!state.env.open) return null;
  const at = state.tokens.findLastIndex((token) => token.type === "inline");
  if (at < 0) return null;
  const mapped = state.tokens.slice(0, at + 1).findLast((token) => token.map);
  const lines = state.src.replace(/\n$/, "").split("\n").length;
  return mapped?.map[1] >= lines ? state.tokens[at] : null;
}

function calmTheEnd(state) {
  const token = lastInline(state);
  if (!token) return;
  if (token.content.length > LONGEST_OPEN) token.type = "unparsed"; // shown as it is, until it ends
  else token.content = calmed(token.content);
}

// A bare link grows with every piece: it is a link once something follows it.
function unlinkTheEnd(state) {
  const children = lastInline(state)?.children ?? [];
  const last = children.at(-1);
  if (last?.type !== "link_close" || last.markup !== "linkify") return;
  children.splice(children.findLastIndex((token) => token.type === "link_open"), 1);
  children.pop();
}
