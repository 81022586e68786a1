// The AI SDK with OpenAI's provider as it is by default, which speaks Responses:
// node ai_openai.mjs <server>
import { createOpenAI } from "@ai-sdk/openai";
import { isStepCount, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { print } from "./print.mjs";

const [server] = process.argv.slice(2);
const openai = createOpenAI({ baseURL: `${server}/v1`, apiKey: "none" });
const called = [];
const weather = tool({
  description: "Tell the weather.",
  inputSchema: z.object({ city: z.string() }),
  execute: async (args) => {
    called.push(args);
    return { degrees: 20 };
  },
});
const messages = [{ role: "user", content: "go" }];
for (const next of ["and then?", null]) {
  const result = streamText({
    model: openai("any"), messages, tools: { weather }, stopWhen: (isStepCount ?? stepCountIs)(4),
    onError: ({ error }) => print({ error: String(error) }),
  });
  for await (const text of result.textStream) print({ text });
  messages.push(...(await result.response).messages);
  if (next) messages.push({ role: "user", content: next });
}
print({ called });
