// A tab in a thread of its own, that stops dead when it leads, until it is told to go on.

import { parentPort, workerData } from "node:worker_threads";

import { TandemClient } from "../../../static/js/tandem-client.js";

const { url, message, gate } = workerData;
const client = new TandemClient({ baseUrl: url, share: true, chunkTimeout: 20_000, retry: { firstMs: 1, mostMs: 2, times: 6 } });
const reply = client.send(message);
let text = "";
for await (const event of reply) {
  if (event.type !== "text") continue;
  text += event.text;
  if (event.seq === 1) Atomics.wait(new Int32Array(gate), 0, 0);
}
client.close();
parentPort.postMessage(text);
