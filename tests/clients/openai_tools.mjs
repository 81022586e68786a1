// The openai package with tools: node openai_tools.mjs <base url> <case>
import OpenAI from "openai";
import { print } from "./print.mjs";

const [baseURL, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const degrees = { Rom: 20, Bonn: 9 };
const weather = ({ city }) => JSON.stringify({ city, degrees: degrees[city] });
const named = { name: "weather", description: "Tell the weather.", parameters };
const asked = { model: "any-model", messages: [{ role: "user", content: "go" }] };

const run = async (stream) => {
  const called = [];
  const tool = (args) => {
    called.push(args);
    return weather(args);
  };
  const runner = client.chat.completions.runTools({
    ...asked,
    stream,
    tools: [{ type: "function", function: { ...named, function: tool, parse: JSON.parse } }],
  });
  print({ called, final: await runner.finalContent(), messages: runner.messages });
};

const cases = {
  run: () => run(false),
  run_streamed: () => run(true),
  async by_hand() {
    const tools = [{ type: "function", function: named }];
    const messages = [...asked.messages];
    const called = [];
    for (;;) {
      const stream = client.chat.completions.stream({ ...asked, messages, tools });
      const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
      messages.push(message);
      if (finish_reason !== "tool_calls") break;
      for (const { id, function: said } of message.tool_calls) {
        called.push(JSON.parse(said.arguments));
        messages.push({ role: "tool", tool_call_id: id, content: weather(called.at(-1)) });
      }
    }
    print({ called, final: messages.at(-1).content, messages });
  },
};
await cases[what]();
