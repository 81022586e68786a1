// The routes of sessions. They return what the server answers (docs/api.md).

import { path, query } from "./http.js";

/** @import { Http } from "./http.js" */
/** @import { Exported, ListOptions, Sessions } from "./records.js" */

const BASE = "/api/chat/sessions";
const NAME = /filename\*=UTF-8''([\w.%!~-]+)/; // RFC 6266, 4.3

/**
 * @param {Http} http
 * @returns {Sessions}
 */
export function sessionRoutes(http) {
  return {
    list: async (options) => (await page(http, options)).sessions,
    page: (options) => page(http, options),
    create: (sessionId, { system } = {}) => {
      const json = { session_id: sessionId || undefined, system: system || undefined };
      return http.json("POST", BASE, { json });
    },
    get: (sessionId) => http.json("GET", of(sessionId)),
    messages: async (sessionId) => (await http.json("GET", of(sessionId, "/messages"))).messages,
    update: (sessionId, change) => http.json("PATCH", of(sessionId), { json: change }),
    branch: async (sessionId, messageId) => {
      const json = { message_id: messageId };
      return (await http.json("POST", of(sessionId, "/branch"), { json })).messages;
    },
    export: (sessionId, format = "json") => (
      exported(http, of(sessionId, `/export${query({ format })}`))
    ),
    delete: (sessionId) => http.json("DELETE", of(sessionId)),
    deleteAll: () => http.json("DELETE", BASE),
  };
}

/** @param {string} sessionId */
function of(sessionId, rest = "") {
  return path`/api/chat/sessions/${sessionId}` + rest;
}

/**
 * @param {Http} http
 * @param {ListOptions} [options]
 */
function page(http, { limit, before, search, signal } = {}) {
  return http.json("GET", BASE + query({ limit, before, q: search || undefined }), { signal });
}

/**
 * @param {Http} http
 * @param {string} url
 * @returns {Promise<Exported>}
 */
async function exported(http, url) {
  const response = await http.request("GET", url);
  const [, encoded] = NAME.exec(response.headers.get("Content-Disposition") ?? "") ?? [];
  return {
    name: encoded ? decodeURIComponent(encoded) : "conversation",
    type: response.headers.get("Content-Type"),
    text: await response.text(),
  };
}
