// How a reply was over, or that it waits: { said, change } of what is told and what its message has then. Pure.

import { textOf, withActions } from "./blocks.js";
import { errorOf } from "./problems.js";
import { strings } from "./strings.js";

export function endOf({ runId: run_id, finishReason, requiresAction: pending, leftOut }) {
  if (pending) return { said: saidOfWaiting(pending), change: { status: "requires_action", run_id, pending, leftOut } };
  const stopped = finishReason === "stopped";
  return { said: stopped ? strings.saidStopped : strings.saidEnded, change: { status: stopped ? "stopped" : "completed", finishReason, run_id, leftOut } };
}

export function failureOf(error) {
  const interrupted = error.finishReason === "interrupted";
  const lost = !error.finishReason;
  const said = interrupted ? strings.saidInterrupted : strings.saidFailed(lost ? strings.lost : error.message);
  const status = lost ? "lost" : interrupted ? "interrupted" : "failed";
  return { said, change: { status, run_id: error.runId, error: errorOf(error) } };
}

/** What a reply has said, as its message has it; of one that waits `pending` says for what. */
export function saidBy({ blocks }, pending) {
  return { content: textOf(blocks), blocks: pending ? withActions(blocks, pending) : blocks };
}

function saidOfWaiting(pending) {
  const asks = pending.filter(({ kind }) => kind !== "result");
  return asks.length ? strings.saidAsks([...new Set(asks.map(({ name }) => name))]) : strings.saidWaits;
}
