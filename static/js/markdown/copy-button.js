// The copy buttons below an element: one listener for all of them, however often they are drawn.

const SHOWN_MS = 2_000;

/** Make the copy buttons in `element` work; return a function that ends it. */
export function enableCopying(element, strings) {
  const clicked = async ({ target }) => {
    const button = target.closest?.(".md-copy");
    if (!button) return;
    const block = button.closest(".md-code");
    const done = await copy(block.querySelector("code"));
    tell(block, button, done ? strings.copied : strings.copyFailed, strings);
  };
  element.addEventListener("click", clicked);
  return () => element.removeEventListener("click", clicked);
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    return copySelected(code); // over plain HTTP there is no navigator.clipboard
  }
}

function copySelected(code) {
  const selection = getSelection();
  selection.selectAllChildren(code);
  const done = document.execCommand("copy");
  if (done) selection.removeAllRanges(); // else the reader can copy what is selected
  return done;
}

function tell(block, button, text, strings) {
  const status = block.querySelector(".md-status");
  status.textContent = text; // is read out
  button.textContent = text;
  setTimeout(() => {
    status.textContent = "";
    button.textContent = strings.copy;
  }, SHOWN_MS);
}
