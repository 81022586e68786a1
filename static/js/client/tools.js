// What a reply waits for, and the tools that there are. The routes return what the server answers
// (docs/api.md); a reply that goes on is followed from the `seq` of that.

import { path } from "./http.js";

/** @import { Http } from "./http.js" */
/** @import { Tools } from "./records.js" */

/**
 * @param {Http} http
 * @returns {Tools}
 */
export function toolRoutes(http) {
  return {
    list: async () => (await http.json("GET", "/api/tools")).tools,
    addResults: (runId, results) => (
      http.json("POST", path`/api/runs/${runId}/results`, { json: { results } })
    ),
    approve: (runId, approvalId, answer) => (
      http.json("POST", path`/api/runs/${runId}/approvals/${approvalId}`, { json: answer })
    ),
  };
}
