// @microsoft/fetch-event-source: node fetch_event_source.mjs <server>
// It is made for browsers, whose window and document it looks for.
import { print } from "./print.mjs";

globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = await import("@microsoft/fetch-event-source");

const [server] = process.argv.slice(2);
let ended = false;
let last = "";
await fetchEventSource(`${server}/api/chat/stream`, {
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
  body: JSON.stringify({ message: "hi", partial: false }),
  // The library takes an id for received before its event is: cut in between, it would skip one.
  fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, "last-event-id": last } }),
  async onopen(response) {
    print({ status: response.status, run_id: response.headers.get("X-Run-Id") });
    if (!response.ok) throw new Error(await response.text());
  },
  onmessage({ id, data }) {
    if (!data) return; // a comment
    const event = JSON.parse(data);
    last = id;
    ended ||= "done" in event || "error" in event;
    print({ id, ...event });
  },
  onclose() {
    if (!ended) throw new Error("cut");
  },
  onerror(error) {
    print({ retried: error.message });
    return 10;
  },
});
