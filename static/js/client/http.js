// Requests to the server, with the access token. An answer that is not 2xx is thrown as an error.

import { sayer, withoutTexts } from "./debug.js";
import { connectionError, errorFromResponse } from "./errors.js";
import { TandemError } from "./tandem-error.js";
import { hasXhr, send } from "./xhr.js";

/** @import { ConnectionOptions } from "./types.js" */

/**
 * @typedef {object} RequestOptions
 * @property {unknown} [json] The body.
 * @property {Blob} [body] In the place of `json`.
 * @property {(bytes: number) => void} [onSent] Told how much of `body` has gone out, where that can
 *   be known.
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

export class Http {
  /** @param {ConnectionOptions} options */
  constructor({ baseUrl = "", token, getToken, fetch, debug }) {
    this.say = sayer(debug);
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.token = async () => (getToken ? await getToken() : token) || null;
    // Looked up at each call, since a page may replace the global one, which needs its own `this`.
    /** @type {typeof globalThis.fetch} */
    this.fetch = (...args) => (fetch ?? globalThis.fetch)(...args);
    /** Whether `onSent` is called. */
    this.tellsProgress = !fetch && hasXhr();
  }

  /**
   * Return the answer. Throws TandemError.
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} [options]
   */
  async request(method, path, options = {}) {
    // Without its query, which may have what is searched for.
    this.say(`${method} ${path.split("?")[0]}`, withoutTexts(options.json));
    let response;
    try {
      const token = await this.token();
      response = await this.#ask(method, path, options, token);
      if (response.status === 401) {
        const newer = await this.token(); // somebody may have signed in since
        if (newer !== token) {
          await response.body?.cancel();
          response = await this.#ask(method, path, options, newer);
        }
      }
    } catch (error) {
      throw connectionError(error, options.signal);
    }
    if (!response.ok) throw await errorFromResponse(response);
    return response;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} options
   * @param {string | null} token
   */
  #ask(method, path, { json, body, onSent, headers = {}, signal }, token) {
    const all = {
      ...(json === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...headers,
    };
    const url = this.baseUrl + path;
    if (body && onSent && this.tellsProgress) {
      return send(url, { method, signal, headers: all, body }, onSent);
    }
    const text = json === undefined ? undefined : JSON.stringify(json);
    return this.fetch(url, { method, signal, headers: all, body: body ?? text });
  }

  /**
   * Return the JSON of the answer. Throws TandemError.
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} [options]
   * @returns {Promise<any>}
   */
  async json(method, path, options = {}) {
    const response = await this.request(method, path, options);
    try {
      return await response.json();
    } catch (error) {
      if (error instanceof SyntaxError) throw new TandemError("bad_answer");
      throw connectionError(error, options.signal);
    }
  }
}

/**
 * Return a path with its parts escaped: path`/api/runs/${runId}`.
 * @param {TemplateStringsArray} texts
 * @param {string[]} values
 */
export function path(texts, ...values) {
  return String.raw({ raw: texts }, ...values.map(encodeURIComponent));
}

/**
 * Return "?a=1&b=2" of the values that are given, or "".
 * @param {Record<string, unknown>} values
 */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
