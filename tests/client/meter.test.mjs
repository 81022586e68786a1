// The figures of a reply: whether it was held back on its way.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Meter } from "../../static/js/page/meter.js";

const end = { type: "end", duration: 30, ttftMs: 1000, usage: null };

/** Take [ms, event] each. */
function read(...events) {
  const meter = new Meter("sse", true, 0);
  for (const [now, event] of events) meter.take(event, now);
  return meter;
}

test("a reply of 30 s that comes at once was held back", () => {
  assert.equal(read([30_000, { type: "text", text: "all" }], [30_010, { type: "text", text: " of it" }], [30_020, end]).heldBack, true);
});

test("one whose tool has run that long was not", () => {
  const told = [[1000, { type: "tool", state: "calling" }], [29_900, { type: "tool", state: "done" }], [30_000, { type: "text", text: "all" }]];
  const meter = read(...told, [30_010, end]);
  assert.equal(meter.heldBack, false);
  assert.equal(meter.ttftMs, 30_000); // of the text
});
