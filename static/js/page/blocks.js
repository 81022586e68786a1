// What a reply does, and where it has things from, by its calls. Pure.

import { callsOf } from "../tandem-client.js";

export { blocksOf, callsOf, filesOf, textOf, withActions, withEvent, withFile, withText } from "../tandem-client.js";

const OPEN = new Set(["calling", "ready", "running"]);

/** What a reply under way does about its calls: { phase, names, since }; null if nothing. */
export function workOf(blocks) {
  const open = callsOf(blocks).filter(({ state }) => OPEN.has(state));
  const running = open.filter(({ state }) => state === "running");
  const names = [...new Set((running.length ? running : open).map(({ name }) => name))];
  if (running.length) return { phase: "tool", names, since: Math.min(...running.map(({ since }) => since)) };
  return open.length ? { phase: "calling", names, since: null } : null;
}

/** Return where the results of calls are from: { url, title }, each once, only what a browser may open. */
export function sourcesOf(blocks) {
  const found = new Map();
  for (const { sources } of callsOf(blocks)) {
    for (const source of Array.isArray(sources) ? sources : []) {
      const url = webAddress(source?.url);
      if (url && !found.has(url.href)) found.set(url.href, { url: url.href, title: titleOf(source, url) });
    }
  }
  return [...found.values()];
}

function titleOf({ title }, url) {
  return typeof title === "string" && title.trim() ? title.trim() : url.host;
}

function webAddress(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}
