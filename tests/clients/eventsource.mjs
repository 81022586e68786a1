// eventsource, which is the browser's EventSource: node eventsource.mjs <server> <run id>
import { EventSource } from "eventsource";
import { print } from "./print.mjs";

const [server, runId] = process.argv.slice(2);
// The time of the library's pause is the server's or its own, 3 s; a test does not wait for it.
const wait = globalThis.setTimeout;
globalThis.setTimeout = (run, ms, ...rest) => wait(run, ms === 3000 ? 10 : ms, ...rest);

const source = new EventSource(`${server}/api/runs/${runId}/events?partial=false`);
source.addEventListener("open", () => print({ open: true }));
source.addEventListener("message", ({ data, lastEventId }) => {
  print({ id: lastEventId, ...JSON.parse(data) });
});
source.addEventListener("error", ({ code }) => {
  print({ error: code ?? null, closed: source.readyState === EventSource.CLOSED });
});
