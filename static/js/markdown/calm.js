// What is shown of a text that is not at its end, so that nothing flickers: "**bo" as bold already,
// "[name](http" as name. Pure, and only about looks: the whole text is drawn as it is, once it is whole.

const LONGEST_HELD = 400; // of a line that is not shown until its end: longer ones are
const MARKERS_ONLY = /^[\s>]*(?:[-=+*_#|:~`>\s]*|\d{1,9}[.)]?\s*)$/;
const FENCE = /^[\s>]*(?:[-*+]\s+|\d{1,9}[.)]\s+)?(?:`{3}|~{3})/;
const HALF_LINK = /!?\[([^[\]\n]{0,200})(?:\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\([^()\s]*)?(?:\s[^()\n]{0,200})?)?)?$/;
const DELIMITERS = /(\\[\s\S])|(`+)|(\*+|_+|~~)/g;
const MOST_OPEN = 20; // more of them are no emphasis
const WORD = /[\p{L}\p{N}]/u;

/** Return how much of a text is shown: not its last line, while what that will be is open. */
export function shownLength(text, { inTable = false } = {}) {
  const start = text.lastIndexOf("\n") + 1;
  const line = text.slice(start);
  if (line.length > LONGEST_HELD) return text.length;
  if (line && (MARKERS_ONLY.test(line) || FENCE.test(line))) {
    return (inTable ? null : tableHead(text, start)) ?? start;
  }
  if (inTable) return text.length;
  if (line.startsWith("|") && !lineBefore(text, start).trim()) return start;
  return (line ? null : tableHead(text, start)) ?? text.length;
}

// The first row of a table is one only once the second line has come; until then neither is shown.
function tableHead(text, start) {
  const line = lineBefore(text, start);
  const at = start - line.length - 1;
  const alone = line.startsWith("|") && !lineBefore(text, at).trim();
  return alone && line.length <= LONGEST_HELD ? at : null;
}

function lineBefore(text, start) {
  if (start <= 0) return "";
  return text.slice(text.lastIndexOf("\n", start - 2) + 1, start - 1);
}

/** Return an unfinished paragraph with what is open in it closed, or left out where nothing follows. */
export function calmed(content) {
  const text = content.replace(HALF_LINK, "$1");
  const open = openDelimiters(text);
  let shown = text;
  while (open.length && open.at(-1).end === shown.length) shown = shown.slice(0, open.pop().start);
  const spaced = shown.length - shown.trimEnd().length; // no closer counts after a space
  const closers = open.map(({ run }) => run).reverse().join("");
  return shown.slice(0, shown.length - spaced) + closers;
}

function openDelimiters(text) {
  const open = [];
  DELIMITERS.lastIndex = 0;
  for (let found = DELIMITERS.exec(text); found; found = DELIMITERS.exec(text)) {
    const [run, escaped, ticks] = found;
    if (open.length > MOST_OPEN) return [];
    const delimiter = { run, start: found.index, end: found.index + run.length };
    if (escaped) continue;
    if (ticks) {
      const close = closingTicks(text, delimiter);
      if (close < 0) return [...open, delimiter]; // nothing counts inside of code
      DELIMITERS.lastIndex = close;
    } else {
      take(open, delimiter, text);
    }
  }
  return open;
}

function closingTicks(text, { run, end }) {
  const ticks = /`+/g;
  ticks.lastIndex = end;
  for (let found = ticks.exec(text); found; found = ticks.exec(text)) {
    if (found[0].length === run.length) return ticks.lastIndex;
  }
  return -1;
}

// The flanking rules of CommonMark (6.2), without those for runs that do several things at once.
function take(open, delimiter, text) {
  const before = text[delimiter.start - 1] ?? " ";
  const after = text[delimiter.end] ?? " ";
  const inWord = delimiter.run[0] === "_" && WORD.test(before) && WORD.test(after);
  const atEnd = delimiter.end === text.length;
  const same = open.findLastIndex(({ run }) => run === delimiter.run);
  if (same >= 0 && /\S/.test(before) && !inWord) open.length = same;
  else if (atEnd || (/\S/.test(after) && !inWord)) open.push(delimiter);
}
