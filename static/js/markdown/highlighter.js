// Asks the worker for colours. Code is shown without them until they come, and where none do: no such
// language, too much code, a grammar that takes too long, a browser without module workers.

import { codeText } from "./code-block.js";

const LONGEST = 100_000; // characters; some 3,000 lines
const DEADLINE_MS = 5_000; // then the worker is given up, with all it was asked

let worker = null;
let lastId = 0;
const asked = new Map(); // id -> { settle, timer }

/** Colour a <code> of a block; resolves when it is done, or will not be. */
export async function highlight(code) {
  const { language } = code.dataset;
  const text = code.textContent;
  if (!language || text.length > LONGEST) return;
  const chunks = await ask(text, language);
  if (!chunks || code.textContent !== text) return;
  if (chunks.length === 1) code.replaceChildren(...nodesOf(chunks[0]));
  else await drawChunks(code, chunks);
}

// Long code in blocks of some lines: each is laid out by itself, and coloured in a task of its own.
async function drawChunks(code, chunks) {
  const blocks = chunks.map((chunk) => {
    const block = document.createElement("span");
    block.className = "md-lines";
    block.append(codeText(textOf(chunk)));
    return block;
  });
  code.replaceChildren(...blocks);
  for (const [at, block] of blocks.entries()) {
    await idle();
    block.replaceChildren(...nodesOf(chunks[at]));
  }
}

// Safari has no idle time to ask for.
const idle = () => new Promise((done) => {
  if (globalThis.requestIdleCallback) requestIdleCallback(done, { timeout: 100 });
  else setTimeout(done, 16);
});

const textOf = (parts) => parts.map((part) => (typeof part === "string" ? part : textOf(part[1]))).join("");

function nodesOf(parts) {
  return parts.flatMap((part) => {
    if (typeof part === "string") return [...codeText(part).childNodes];
    const span = document.createElement("span");
    span.className = part[0];
    span.append(...nodesOf(part[1]));
    return [span];
  });
}

function ask(code, language) {
  return new Promise((settle) => {
    lastId += 1;
    asked.set(lastId, { settle, timer: setTimeout(giveUp, DEADLINE_MS) });
    try {
      running().postMessage({ id: lastId, code, language });
    } catch {
      giveUp();
    }
  });
}

function running() {
  if (!worker) {
    worker = new Worker(new URL("./highlight-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => answer(data.id, data.chunks));
    worker.addEventListener("error", giveUp);
  }
  return worker;
}

function answer(id, chunks) {
  const found = asked.get(id);
  if (!found) return;
  clearTimeout(found.timer);
  asked.delete(id);
  found.settle(chunks);
}

function giveUp() {
  worker?.terminate();
  worker = null;
  for (const id of [...asked.keys()]) answer(id, null);
}
