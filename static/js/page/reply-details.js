// What is read after a conversation: what it has used, and why its last reply failed.

import { errorOf } from "./problems.js";

/** Return { usage, error }, null each where it is not known; the error is asked for only if it is missing. */
export async function readDetails(client, sessionId, last) {
  const silent = () => null;
  const [usage, run] = await Promise.all([
    client.usage({ sessionId }).catch(silent),
    last?.status === "failed" && !last.error ? client.run(last.run_id).catch(silent) : null,
  ]);
  const { error_id: errorId, details: upstream, ...told } = run?.error ?? {};
  return { usage, error: run?.error ? errorOf({ ...told, errorId, upstream }) : null };
}
