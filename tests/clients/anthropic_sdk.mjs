// The @anthropic-ai/sdk package: node anthropic_sdk.mjs <server> <case>
import Anthropic from "@anthropic-ai/sdk";
import { print } from "./print.mjs";

const [baseURL, what] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "none", maxRetries: 0 });
const asked = { model: "any", max_tokens: 4000, messages: [{ role: "user", content: "go" }] };
const input_schema = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ name: "weather", description: "Tell the weather.", input_schema }];
const thinking = { type: "enabled", budget_tokens: 1024 };

const cases = {
  async stream() {
    const stream = client.messages.stream(asked);
    stream.on("text", (text) => print({ text }));
    const { content, stop_reason: reason, usage } = await stream.finalMessage();
    print({ content, reason, usage });
  },
  async tools() {
    const messages = [...asked.messages];
    for (;;) {
      const said = await client.messages.stream({ ...asked, messages, tools, thinking }).finalMessage();
      messages.push({ role: "assistant", content: said.content });
      if (said.stop_reason !== "tool_use") break;
      const results = said.content
        .filter(({ type }) => type === "tool_use")
        .map(({ id: tool_use_id }) => ({ type: "tool_result", tool_use_id, content: "20" }));
      messages.push({ role: "user", content: results });
    }
    print({ messages });
  },
  async count() {
    const { input_tokens: count } = await client.messages.countTokens({ ...asked, max_tokens: undefined });
    print({ count });
  },
  async abort() {
    const stream = client.messages.stream(asked);
    stream.on("text", () => stream.abort());
    await stream.done().catch((error) => print({ aborted: error instanceof Anthropic.APIUserAbortError }));
  },
  async fail() {
    await client.messages.create(asked).catch((error) => {
      print({ status: error.status, type: error.error?.error?.type, internal: error instanceof Anthropic.InternalServerError });
    });
  },
  async models() {
    for await (const { id } of client.models.list()) print({ id });
  },
};
await cases[what]();
