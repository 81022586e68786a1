// The AI SDK as useChat uses it: node ai_sdk.mjs <server> <case> <chat id> <package>
import { chats, textOf } from "./ai_chat.mjs";
import { print } from "./print.mjs";

const [server, what, id, name] = process.argv.slice(2);
const sdk = await import(name);
const { DefaultChatTransport, readUIMessageStream } = sdk;
const api = `${server}/api/ai-sdk/chat`;
const transport = new DefaultChatTransport({ api });

const Chat = chats(sdk, transport, id);
const user = (text) => ({ id: "u1", role: "user", parts: [{ type: "text", text }] });
const asked = { chatId: id, trigger: "submit-message", messages: [user("hi")] };

const cases = {
  async chunks() {
    for await (const chunk of await transport.sendMessages(asked)) print(chunk);
  },
  async message() {
    const stream = await transport.sendMessages(asked);
    const fail = (error) => print({ failed: error.message });
    for await (const message of readUIMessageStream({ stream, onError: fail })) {
      print({ text: textOf(message), message });
    }
  },
  async chat() {
    const chat = new Chat();
    await chat.sendMessage({ text: "hi" });
    chat.report();
    await chat.sendMessage({ text: "and more" });
    chat.report();
  },
  async stop() {
    const chat = new Chat();
    const sent = chat.sendMessage({ text: "hi" });
    await chat.saysSomething;
    const answer = await fetch(`${api}/${id}/stop`, { method: "POST" });
    print({ receipt: await answer.json() });
    await sent;
    chat.report();
    print({ again: (await fetch(`${api}/${id}/stop`, { method: "POST" })).status });
  },
  async leave() {
    const chat = new Chat();
    const sent = chat.sendMessage({ text: "hi" });
    await chat.saysSomething;
    await chat.stop();
    await sent;
    print({ left: chat.status });
    const back = new Chat("back");
    back.messages = [user("hi")];
    await back.resumeStream();
    back.report();
  },
  async resume() {
    const chat = new Chat();
    const sent = chat.sendMessage({ text: "hi" });
    await chat.saysSomething;
    const other = new Chat("second");
    other.messages = [user("hi")];
    const resumed = other.resumeStream();
    await other.saysSomething;
    print({ both: true });
    await Promise.all([sent, resumed]);
    chat.report();
    other.report();
  },
  async idle() {
    print({ unknown: await transport.reconnectToStream({ chatId: id }) });
    const chat = new Chat();
    await chat.sendMessage({ text: "hi" });
    print({ ended: await transport.reconnectToStream({ chatId: id }) });
    await chat.resumeStream();
    chat.report();
  },
  async regenerate() {
    const chat = new Chat();
    await chat.sendMessage({ text: "hi" });
    chat.report();
    await chat.regenerate();
    chat.report();
  },
  async edit() {
    const chat = new Chat();
    await chat.sendMessage({ text: "hi" });
    await chat.sendMessage({ text: "ho", messageId: chat.messages[0].id });
    chat.report();
  },
};
for (const same of ["failed", "refused"]) {
  cases[same] = async () => {
    const chat = new Chat("first", same === "refused" ? ".." : id);
    await chat.sendMessage({ text: "hi" });
    chat.report();
  };
}

await cases[what]();
