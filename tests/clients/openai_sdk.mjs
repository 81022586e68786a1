// The openai package: node openai_sdk.mjs <server> <case>
import OpenAI from "openai";
import { print } from "./print.mjs";

const [server, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${server}/v1`, apiKey: "none", maxRetries: 0 });
const asked = { model: "any", messages: [{ role: "user", content: what }] };

const cases = {
  async stream() {
    const stream = await client.chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) print(chunk);
  },
  async whole() {
    const { data, response } = await client.chat.completions.create(asked).withResponse();
    print({ answer: data, run_id: response.headers.get("X-Run-Id") });
  },
  async helper() {
    const stream = client.chat.completions.stream(asked);
    stream.on("content", (delta, snapshot) => print({ delta, snapshot }));
    print({ final: await stream.finalContent() });
  },
  async abort() {
    const stream = await client.chat.completions.create({ ...asked, stream: true });
    for await (const chunk of stream) {
      print(chunk);
      if (chunk.choices[0].delta.content) stream.controller.abort();
    }
    print({ aborted: stream.controller.signal.aborted });
  },
  async models() {
    for await (const model of client.models.list()) print(model);
    print(await client.models.retrieve("gpt-5-mini"));
  },
  // Errors before the first piece are a status, and so a class; after it the stream throws.
  async refused() {
    await client.chat.completions.create({ ...asked, messages: [] });
  },
  async unsupported() {
    await client.chat.completions.create({ ...asked, n: 2 });
  },
  async missing() {
    await client.models.retrieve("no-such-model");
  },
  async retried() {
    const { data } = await client.chat.completions
      .create({ ...asked, stream: true }, { maxRetries: 2 })
      .withResponse();
    for await (const chunk of data) print(chunk);
  },
};
cases.failed = cases.stream;
cases.unauthorized = cases.whole;
cases.limited = cases.whole;

try {
  await cases[what]();
} catch (error) {
  const { status = null, code = null, type = null, message } = error;
  print({ thrown: error.constructor.name, status, code, type, message });
}
