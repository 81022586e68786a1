// eventsource-parser over fetch: node eventsource_parser.mjs <server>
import { EventSourceParserStream } from "eventsource-parser/stream";
import { print } from "./print.mjs";

const [server] = process.argv.slice(2);
const response = await fetch(`${server}/api/chat/stream`, {
  method: "POST",
  body: JSON.stringify({ message: "hi", partial: false }),
});
const events = response.body
  .pipeThrough(new TextDecoderStream())
  .pipeThrough(new EventSourceParserStream());
for await (const { id, data } of events) print({ id, ...JSON.parse(data) });
