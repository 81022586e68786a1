// A block of code: a header with the language and a button that copies, and the code below.

// Controls that show code in another order than it runs in ("Trojan Source", CVE-2021-42574).
const ORDER = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/;

/** Return a block of code. */
export function codeBlock(text, language, strings) {
  const block = element("div", "md-code");
  const pre = element("pre");
  pre.dir = "ltr";
  pre.translate = false;
  pre.tabIndex = 0; // it scrolls by itself
  const code = element("code");
  if (language) code.dataset.language = language.toLowerCase();
  code.append(codeText(text));
  pre.append(code);
  block.append(header(language, strings), pre);
  return block;
}

function header(language, strings) {
  const head = element("div", "md-code-head");
  const name = element("span", "md-language");
  name.dir = "auto";
  name.translate = false;
  name.textContent = language;
  const status = element("span", "md-status");
  status.setAttribute("role", "status");
  const button = element("button", "md-copy");
  button.type = "button";
  button.textContent = strings.copy;
  head.append(name, status, button);
  return head;
}

/** Return code as text in which the characters that change its order are seen, and change nothing. */
export function codeText(text) {
  const fragment = document.createDocumentFragment();
  if (!ORDER.test(text)) {
    if (text) fragment.append(text);
    return fragment;
  }
  text.split(ORDER).forEach((part, at) => {
    if (part) fragment.append(at % 2 ? control(part) : part);
  });
  return fragment;
}

// The character stays, to be copied; that it acts on nothing outside of its element, and that its
// name is seen, is the stylesheet's part.
function control(character) {
  const made = element("span", "md-control");
  made.dataset.name = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  made.textContent = character;
  return made;
}

function element(tag, className) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  return made;
}
