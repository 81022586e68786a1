// The page: sends over either transport, shows the text as it comes, and can stop it.
// All three events (token, done, error) are the same on both transports; `show` takes them.

import { io } from "/static/vendor/socket.io.esm.min.js";

const $ = (id) => document.getElementById(id);
const sessionId = `page-${crypto.randomUUID?.() ?? Date.now().toString(36)}`;
let reply = null; // { item, text, runId } while one is under way

function addMessage(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.dir = "auto";
  item.textContent = text;
  $("messages").append(item);
  item.scrollIntoView({ block: "end" });
  return item;
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

function begin() {
  reply = { item: addMessage("streaming", ""), text: "", runId: null };
  $("send").disabled = true;
  $("stop").disabled = false;
  say("Waiting for the model…");
}

function finish(text, bad = false) {
  if (!reply) return;
  reply.item.classList.remove("streaming");
  reply.item.classList.toggle("failed", bad);
  reply = null;
  $("send").disabled = false;
  $("stop").disabled = true;
  say(text, bad);
}

function show(event) {
  if (!reply) return;
  // Events of a run that this page has given up are not this reply's.
  if (reply.runId && event.run_id && event.run_id !== reply.runId) return;
  if (event.run_id) reply.runId = event.run_id;
  if (event.token !== undefined) {
    reply.text += event.token;
    reply.item.textContent = reply.text;
    reply.item.scrollIntoView({ block: "end" });
    say("Streaming response…");
  } else if (event.done) {
    const stopped = event.finish_reason === "stopped" ? "Stopped. " : "";
    finish(`${stopped}${event.tokens} tokens in ${event.duration} s (${event.provider}: ${event.model})`);
  } else if (event.error) {
    finish(`${event.error} (${event.error_id})`, true);
  }
}

async function sendOverSse(message) {
  const response = await fetch("/api/chat/stream", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ message, session_id: sessionId, partial: false }),
  });
  if (!response.ok) {
    const { error } = await response.json();
    show({ error: error.message, error_id: error.error_id });
    return;
  }
  reply.runId = response.headers.get("X-Run-Id");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith("data: "));
      if (data) show(JSON.parse(data.slice(6)));
    }
  }
  finish("The connection was cut; the reply goes on, on the server.", true);
}

let socket = null;
function connected() {
  if (!socket) {
    socket = io({ transports: ["websocket", "polling"] });
    for (const name of ["chat_token", "chat_complete", "chat_stream_error"]) socket.on(name, show);
    socket.on("connect_error", (error) => {
      if (error.message === "unauthorized") finish("This server asks for an access token.", true);
      else if (reply) say("No connection to the server; trying again…", true);
    });
    socket.on("connect", resume);
  }
  if (!socket.connected) socket.connect();
  return socket;
}

// After a cut the server still has all of it. A send that was not answered is sent again with its
// idempotency key, which joins the run it started; one that was is taken from its start.
function resume() {
  if (!reply?.data) return;
  if (!reply.runId) {
    sendData();
    return;
  }
  reply.text = "";
  socket.emit("chat_resume", { run_id: reply.runId, seq: 0, partial: false }, answered);
}

function answered(ack) {
  if (!reply) return;
  if (ack.error) finish(`${ack.error.message} (${ack.error.error_id})`, true);
  else reply.runId = ack.run_id;
}

function sendData() {
  socket.emit("chat_stream", reply.data, answered);
}

function sendOverSocket(message) {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  reply.data = { message, session_id: sessionId, partial: false, idempotency_key: key };
  if (connected().connected) sendData();
}

$("form").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const message = $("message").value;
  if (!message.trim() || reply) return;
  addMessage("user", message);
  $("message").value = "";
  begin();
  try {
    if ($("transport").value === "socket") sendOverSocket(message);
    else await sendOverSse(message);
  } catch {
    finish("No connection to the server. Is it running?", true);
  }
});

$("message").addEventListener("keydown", (key) => {
  if (key.key === "Enter" && !key.shiftKey && !key.isComposing) {
    key.preventDefault();
    $("form").requestSubmit();
  }
});

$("stop").addEventListener("click", () => {
  if (reply?.runId) fetch(`/api/runs/${reply.runId}/stop`, { method: "POST" });
});
