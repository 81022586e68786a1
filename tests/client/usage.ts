// Not run: checked by `tsc --strict`. What docs/client.md shows, with types.

import * as React from "react";
import { io } from "socket.io-client";

import { createSseParser, TandemClient, TandemError } from "../../static/js/tandem-client.js";
import type { Attachment, Receipt, Reply, ReplyEvent, Whole } from "../../static/js/tandem-client.js";
import { createUseChat } from "../../static/js/use-chat.js";
import type { Chat, ChatMessage } from "../../static/js/use-chat.js";

const client = new TandemClient({
  baseUrl: "http://localhost:5000",
  getToken: async () => "token",
  transport: "socket",
  io,
  enableStreaming: true,
  streamingTimeout: 60_000,
  chunkTimeout: 10_000,
  fallbackOnError: true,
  fetch,
  debug: true,
  share: true,
});

export async function send(signal: AbortSignal): Promise<string> {
  const reply = client.send("Hello", { sessionId: "s", temperature: 0, maxTokens: 5, signal });
  for await (const event of reply) show(event);
  const whole: Whole = await reply.whole;
  const receipt: Receipt = await reply.stop();
  return whole.text + receipt.status + (reply.runId ?? "");
}

function show(event: ReplyEvent): string | number {
  switch (event.type) {
    case "text":
      return event.text;
    case "resume":
    case "retry":
      return event.attempt;
    case "status":
      return event.status;
    case "tool":
      return event.error ?? event.state;
    case "upload":
      return event.attachment?.id ?? event.loaded / event.total;
    case "file":
      return event.file.attachment_id ?? event.file.url ?? event.seq;
    case "warning":
      return event.data;
    case "start":
      return event.runId;
    case "end":
      return event.usage?.output_tokens ?? event.finishReason;
  }
}

export function say(error: unknown): string {
  if (error instanceof TandemError) return `${error.code} ${error.errorId} ${error.text} ${error.retryAfterS}`;
  // @ts-expect-error: the transport has two values
  client.send("Hello", { transport: "carrier pigeon" });
  // @ts-expect-error: what is known of a reply is read, not set
  client.send("Hello").text = "";
  // @ts-expect-error: how a reply is delivered is no business of its reader
  client.send("Hello").restart();
  return String(error);
}

export async function all(): Promise<string | null> {
  for await (const event of client.watchAll({ retry: { mostMs: 30_000 } })) {
    if (event.type === "reconnected") continue;
    if (event.type === "session_deleted") return event.sessionId;
    say(event.sessionId);
  }
  return null;
}

export async function others(): Promise<number> {
  for await (const event of client.watchSession("s")) {
    if (event.type === "run_started") client.follow(event.runId, { after: event.seq }).leave();
    else if (event.type === "run_ended") return event.status.length;
    else if (event.type === "branch_changed") say(event.leafId);
    else return event.sessionId.length;
  }
  const [first] = await client.sessions.list();
  const parser = createSseParser({ onEvent: ({ data, lastEventId }) => say(data + lastEventId) });
  parser.feed(new Uint8Array());
  return first?.messages ?? 0;
}

export async function versions(): Promise<string> {
  const { sessions, next } = await client.sessions.page({ limit: 10, search: "x" });
  const [session] = sessions;
  const messages = await client.sessions.branch(session!.session_id, messages0(await client.sessions.messages("s")));
  await client.send("again", { sessionId: "s", edit: messages[0]!.id, reasoning: true }).whole;
  const { cost } = await client.continue(messages[1]!.run_id!).whole;
  const { text } = await client.sessions.export("s", "markdown");
  const { system } = await client.sessions.update("s", { system: "Be brief." });
  const { deleted } = await client.sessions.deleteAll();
  const { providers } = await client.models();
  const { total } = await client.usage({ days: 7 });
  return [next, cost?.amount, text, system, deleted, providers[0]?.missing, total.cost?.currency].join();
}

export async function files(file: File, signal: AbortSignal): Promise<string> {
  const onProgress = ({ loaded, total }: { loaded: number; total: number }) => say(loaded / total);
  const { id, width }: Attachment = await client.upload(file, { onProgress, signal });
  await client.send("", { attachments: [file, new Blob(["x"]), id, { id }] }).whole;
  const blob: Blob = await client.attachment(id, { signal });
  if (await client.hasAttachment(id)) await client.removeAttachment(id);
  // @ts-expect-error: bytes are put into a File or a Blob
  client.send("", { attachments: [new Uint8Array(1)] });
  return client.attachmentUrl(id) + blob.type + (width ?? 0);
}

function messages0(messages: { siblings: string[] }[]): string {
  return messages[0]!.siblings[0]!;
}

const useChat = createUseChat(React, client);

// What stands in for the client needs the three members that the hook uses.
export const useOther = createUseChat(React, {
  send: (prompt: string): Reply => client.send(prompt),
  follow: (runId: string): Reply => client.follow(runId),
  sessions: client.sessions,
});

export function chatOf(chat: Chat<number>, whole: Whole): ChatMessage {
  const rest = { calls: [], files: [], blocks: [{ text: whole.text }], runId: whole.runId };
  const message: ChatMessage = { id: "m", role: "assistant", content: whole.text, status: "completed", timestamp: "", ...rest };
  return chat.messages[0] ?? message;
}

export function useCounted(): [Promise<number>, Promise<string>, string | undefined] {
  const { sendMessage } = useChat(42);
  const chat = useChat();
  chat.clearError();
  const call = chat.messages[0]?.calls[0];
  if (call?.action?.approval_id) void chat.approve(call.action.approval_id, { approved: false, reason: "no" });
  else if (call?.state === "awaiting_result") void chat.addToolResult(call.call_id, { output: call.input });
  void chat.sendMessage("Hello", undefined, undefined, { tools: ["calculator"] });
  chat.clearMessages();
  const shown = chat.messages.map((message) => message.content).join("");
  return [sendMessage("Hello"), chat.sendStreamingMessage(shown, "m", "p"), chat.streamingMessage?.content];
}
