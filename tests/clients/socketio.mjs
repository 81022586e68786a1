// socket.io-client: node socketio.mjs <server> <transport> [<access token>]
import { io } from "socket.io-client";
import { print } from "./print.mjs";

const [server, transport, token] = process.argv.slice(2);
const socket = io(server, { transports: [transport], auth: { token }, reconnectionDelay: 10 });
let end;
const ended = new Promise((resolve) => (end = resolve));
socket.on("connect", () => print({ connected: socket.io.engine.transport.name }));
socket.on("connect_error", (error) => {
  print({ refused: error.message });
  if (!socket.active) process.exit(0);
});
let seq = 0;
for (const name of ["chat_token", "chat_complete", "chat_stream_error"]) {
  socket.on(name, (event) => {
    seq = event.seq ?? seq;
    print({ name, ...event });
    if (event.finish_reason) end(); // a send that was refused has none
  });
}

const ack = await socket.emitWithAck("chat_stream", { message: "hi", partial: false });
print({ ack });
print({ busy: await socket.emitWithAck("chat_stream", { message: "ho", session_id: ack.session_id }) });
// Cut, come back, resume from the last event.
socket.io.engine.close();
await new Promise((resolve) => socket.once("connect", resolve));
print({ resumed: await socket.emitWithAck("chat_resume", { run_id: ack.run_id, seq, partial: false }) });
await ended;
print({ receipt: await socket.emitWithAck("chat_stop", { run_id: ack.run_id }) });
socket.close();
