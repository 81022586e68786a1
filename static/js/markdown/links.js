// Which addresses are links, and how they are shown. Pure.

const ALLOWED = new Set(["http:", "https:", "mailto:"]);
const ABSOLUTE = /^(?:https?:\/\/|mailto:)/i; // "/logout" would be a link into this very server
const HOST = /(?:[\p{L}\p{N}_-]+[.。．｡])+[\p{L}\p{N}-]{2,}/u;
// Controls that change the order of what is around them, or are not seen at all.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/** Return whether an address may be linked to. */
export function isAllowed(address) {
  return target(address) !== null;
}

/** Return the address as a URL, or null where it may not be linked to. */
export function target(address) {
  if (!ABSOLUTE.test(address)) return null;
  try {
    const url = new URL(address);
    return ALLOWED.has(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** Return the host to be shown next to a label that looks like another address; else "". */
export function hostToShow(url, label) {
  const host = url.protocol === "mailto:" ? mailHost(url) : url.hostname;
  if (host.split(".").some((part) => part.startsWith("xn--"))) return host; // looks like anything
  const claimed = HOST.exec(visible(label))?.[0].toLowerCase();
  return claimed && bare(claimed) !== bare(host) ? host : "";
}

/** Return a label without the characters that change the order of others. */
export function visible(label) {
  return label.replace(CONTROLS, "");
}

const bare = (host) => host.replace(/^www\./, "");
const mailHost = (url) => url.pathname.slice(url.pathname.lastIndexOf("@") + 1).toLowerCase();
