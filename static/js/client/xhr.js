// What fetch cannot: a request that tells how much of its body has gone out.

/**
 * @typedef {object} SendOptions
 * @property {string} method
 * @property {Record<string, string>} headers
 * @property {Blob} body
 * @property {AbortSignal} [signal]
 */

/** The statuses whose answers have no body (Fetch, null body status). */
const EMPTY = new Set([204, 205, 304]);

export const hasXhr = () => typeof globalThis.XMLHttpRequest === "function";

/**
 * Send; return the answer as fetch would. Rejects likewise.
 * @param {string} url
 * @param {SendOptions} options
 * @param {(bytes: number) => void} onSent Called with how much has gone out so far.
 * @returns {Promise<Response>}
 */
export function send(url, { method, headers, body, signal }, onSent) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal?.addEventListener("abort", abort);
    request.onloadend = () => {
      signal?.removeEventListener("abort", abort);
      if (request.status === 0) reject(signal?.aborted ? signal.reason : new TypeError("failed"));
      else resolve(answerOf(request));
    };
    request.upload.onprogress = ({ loaded }) => onSent(loaded);
    request.open(method, url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}

/** @param {XMLHttpRequest} request */
function answerOf(request) {
  const { status } = request;
  const headers = new Headers();
  for (const line of request.getAllResponseHeaders().trim().split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim());
  }
  return new Response(EMPTY.has(status) ? null : request.response, { status, headers });
}
