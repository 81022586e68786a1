// The AI SDK's files, both ways: node ai_files.mjs <server> <chat id> <package> <data URL>
import { chats } from "./ai_chat.mjs";
import { print } from "./print.mjs";

const [server, id, name, url] = process.argv.slice(2);
const sdk = await import(name);
const transport = new sdk.DefaultChatTransport({ api: `${server}/api/ai-sdk/chat` });
const Chat = chats(sdk, transport, id);

const chat = new Chat(null);
const picture = { type: "file", mediaType: "image/png", filename: "a.png", url };
const note = {
  type: "file",
  mediaType: "text/plain",
  filename: "note.txt",
  url: `data:text/plain;base64,${btoa("The sky is green.")}`,
};
await chat.sendMessage({ text: "See", files: [picture, note] });
chat.report();
await chat.sendMessage({ text: "and more" });
chat.report();
