// The openai package's Responses: node openai_responses.mjs <base url> <case> [id, after]
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { print } from "./print.mjs";

const [server, what, id, after] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${server}/v1`, apiKey: "none", maxRetries: 0 });
const asked = { model: "any", input: "go" };
const Weather = z.object({ city: z.string(), degrees: z.number() });

const cases = {
  async stream() {
    const stream = client.responses.stream(asked);
    for await (const event of stream) print({ type: event.type, number: event.sequence_number });
    const { output_text: text, status } = await stream.finalResponse();
    print({ text, status });
  },
  async background() {
    const { id, status } = await client.responses.create({ ...asked, background: true });
    print({ id, status });
  },
  async rest() {
    const stream = await client.responses.retrieve(id, { stream: true, starting_after: Number(after) });
    for await (const event of stream) print(event);
  },
  async cancel() {
    for (let n = 0; n < 2; n += 1) print({ status: (await client.responses.cancel(id)).status });
  },
  async chain() {
    let before;
    for (let n = 0; n < 5; n += 1) {
      const response = await client.responses.create({ ...asked, input: `${n}`, previous_response_id: before });
      before = response.id;
      print({ text: response.output_text, before: response.previous_response_id });
    }
  },
  async parse() {
    const format = zodTextFormat(Weather, "weather");
    const response = await client.responses.parse({ ...asked, text: { format } });
    print({ parsed: response.output_parsed });
  },
  async remove() {
    await client.responses.delete(id);
    print({ status: await client.responses.retrieve(id).catch((error) => error.status) });
  },
};
await cases[what]();
