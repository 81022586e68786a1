// Drives the client for the tests in tests/e2e/test_client.py. Its argument is JSON: { client, send:
// [message, options] }, { client, follow: [runId, options] }, { client, watch: sessionId } or { client,
// sends: [message, ...] }. It prints one JSON object a line: each event, then {whole} or {thrown}; of
// `sends` {wholes} alone. The lines "stop" and "leave" on its input do so.

import { createInterface } from "node:readline";

import { io } from "socket.io-client";

import { TandemClient } from "../../static/js/tandem-client.js";

const { client: options, send, sends, follow, watch } = JSON.parse(process.argv[2]);
const client = new TandemClient({ ...options, io });
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const input = createInterface(process.stdin);

if (watch) await watchSession();
else if (sends) print({ wholes: await Promise.all(sends.map((message) => client.send(message).whole)) });
else await drive(send ? client.send(...send) : client.follow(...follow));
client.close();
input.close();

async function watchSession() {
  const events = client.watchSession(watch);
  input.on("line", () => events.close());
  for await (const event of events) print(event);
}

async function drive(reply) {
  input.on("line", (line) => {
    if (line === "leave") reply.leave();
    else reply.stop().then((receipt) => print({ receipt }), (error) => print({ refused: error.code }));
  });
  try {
    for await (const event of reply) print(event);
    print({ whole: await reply.whole });
  } catch ({ code, message, errorId, retryable, runId, text }) {
    print({ thrown: { code, message, errorId, retryable, runId, text } });
  }
  if (reply.stopWanted) await reply.stop();
}
