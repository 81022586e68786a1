// The parser against the grammar of WHATWG HTML 9.2.5, every cut, and another implementation.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createParser } from "eventsource-parser";

import { createSseParser } from "../../static/js/tandem-client.js";
import { seeded } from "./support/random.js";

const bytesOf = (text) => new TextEncoder().encode(text);

function parse(chunks) {
  const seen = { events: [], comments: [], retries: [] };
  const parser = createSseParser({
    onEvent: (event) => seen.events.push(event),
    onComment: (text) => seen.comments.push(text),
    onRetry: (ms) => seen.retries.push(ms),
  });
  for (const chunk of chunks) parser.feed(chunk);
  parser.end();
  return seen;
}

const message = (data, rest = {}) => ({ type: "message", data, lastEventId: "", ...rest });

const SITUATIONS = [
  ["nothing", "", []],
  ["one event", "data: a\n\n", [message("a")]],
  ["the standard's first example", "data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]],
  [
    "the standard's second example",
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
    [message("first event", { lastEventId: "1" }), message("second event")],
  ],
  ["its third: empty data is an event", "data\n\ndata\ndata\n\ndata:", [message(""), message("\n")]],
  ["its fourth: one space is taken off", "data:test\n\ndata: test\n\n", [message("test"), message("test")]],
  ["a second space is kept", "data:  a \n\n", [message(" a ")]],
  ["a tab is kept", "data:\ta\n\n", [message("\ta")]],
  ["CR ends lines", "data: a\rdata: b\r\r", [message("a\nb")]],
  ["CRLF ends lines", "data: a\r\ndata: b\r\n\r\n", [message("a\nb")]],
  ["all ends mixed", "data: a\r\ndata: b\rdata: c\n\r\n", [message("a\nb\nc")]],
  ["LF CR are two ends", "data: a\n\rdata: b\n\n", [message("a"), message("b")]],
  ["U+2028, U+0085, FF, VT end nothing", "data: a\u2028b\u0085c\fd\ve\n\n", [message("a\u2028b\u0085c\fd\ve")]],
  ["a BOM is taken off", "\ufeffdata: a\n\n", [message("a")]],
  ["a second BOM is not", "\ufeff\ufeffdata: a\n\ndata: b\n\n", [message("b")]],
  ["a BOM later is data", "data: \ufeffa\n\n\ufeffdata: b\n\n", [message("\ufeffa")]],
  ["a type", "event: run\ndata: a\n\ndata: b\n\n", [message("a", { type: "run" }), message("b")]],
  ["the last type counts", "event: a\nevent: b\ndata: c\n\n", [message("c", { type: "b" })]],
  ["an empty type is message", "event: a\nevent\ndata: c\n\n", [message("c")]],
  ["a type without data is dropped", "event: a\n\ndata: b\n\n", [message("b")]],
  ["an id stays", "id: 1\ndata: a\n\ndata: b\n\n", [message("a", { lastEventId: "1" }), message("b", { lastEventId: "1" })]],
  ["an id without data counts", "id: 7\n\ndata: a\n\n", [message("a", { lastEventId: "7" })]],
  ["an id with NUL is ignored", "id: 1\nid: 2\0\ndata: a\n\n", [message("a", { lastEventId: "1" })]],
  ["an empty id resets", "id: 1\ndata: a\n\nid:\ndata: b\n\n", [message("a", { lastEventId: "1" }), message("b")]],
  ["unknown fields are ignored", "foo: 1\nconstructor: 2\n__proto__: 3\ndata: a\n\n", [message("a")]],
  ["names are exact", "Data: a\n data: b\ndata : c\ndata: d\n\n", [message("d")]],
  ["a colon in the value", "data: {\"a\": 1}\n\n", [message('{"a": 1}')]],
  ["NUL in data is data", "data: a\0b\n\n", [message("a\0b")]],
  ["an event without its blank line is dropped", "data: a\n\ndata: b\n", [message("a")]],
  ["half a line is dropped", "data: a\n\ndata: b", [message("a")]],
  ["characters of two, three, four bytes", "data: é€😀\n\n", [message("é€😀")]],
];

for (const [name, text, events] of SITUATIONS) {
  test(`grammar: ${name}`, () => {
    const bytes = bytesOf(text);
    assert.deepEqual(parse([bytes]).events, events);
    assert.deepEqual(parse([text]).events, events, "as text");
    assert.deepEqual(parse(Array.from(bytes, (byte) => Uint8Array.of(byte))).events, events, "a byte a time");
    assert.deepEqual(parse([...text]).events, events, "a character a time");
  });
}

test("grammar: comments are told, without one space", () => {
  assert.deepEqual(parse([": ping\n:\n:  two\n:a:b\n"]).comments, ["ping", "", " two", "a:b"]);
});

test("grammar: retry is digits and nothing else", () => {
  assert.deepEqual(parse(["retry: 10\nretry:07\nretry: 1.5\nretry: -1\nretry\nretry: ٣\nretry:  3\n"]).retries, [10, 7]);
});

test("grammar: wrong bytes become U+FFFD", () => {
  const bytes = [...bytesOf("data: a"), 0xff, 0xe2, 0x82, ...bytesOf("b\n\n")];
  assert.deepEqual(parse([Uint8Array.from(bytes)]).events, [message("a\ufffd\ufffdb")]);
});

test("grammar: a parser that was ended begins anew", () => {
  const events = [];
  const parser = createSseParser({ onEvent: (event) => events.push(event) });
  parser.feed(Uint8Array.of(...bytesOf("id: 1\ndata: half"), 0xe2));
  parser.end();
  parser.feed(bytesOf("\ufeffdata: b\n\n"));
  assert.deepEqual(events, [message("b")]);
});

test("grammar: a line in a hundred thousand pieces costs no more than its length", () => {
  const events = [];
  const parser = createSseParser({ onEvent: (event) => events.push(event) });
  parser.feed("data: ");
  for (let piece = 0; piece < 100_000; piece += 1) parser.feed("0123456789");
  parser.feed("\n\n");
  assert.equal(events[0].data.length, 1_000_000);
});

function bigStream() {
  const random = seeded(7);
  let text = "\ufeff: open\r\n\r\n";
  for (let n = 1; bytesOf(text).length < 2048; n += 1) {
    const end = random.pick(["\n", "\r", "\r\n"]);
    const token = random.pick(["Hello", "é€😀", "\u2028", "a: b", "", " "]);
    text += `id: r:${n}${end}data: {"token":"${token}",${end}data: "seq":${n}}${end}${end}`;
    if (n % 5 === 0) text += `: ping${end}${end}event: x${end}retry: ${n}${end}`;
  }
  return bytesOf(text);
}

test("every cut of a stream of 2 KB gives the same", () => {
  const bytes = bigStream();
  const whole = parse([bytes]);
  assert.ok(whole.events.length > 30);
  for (let at = 0; at <= bytes.length; at += 1) {
    assert.deepEqual(parse([bytes.subarray(0, at), bytes.subarray(at)]), whole, `cut at ${at}`);
  }
});

test("pieces of every length give the same", () => {
  const bytes = bigStream();
  const whole = parse([bytes]);
  for (let length = 1; length <= 64; length += 1) {
    assert.deepEqual(parse(piecesOf(bytes, () => length)), whole, `pieces of ${length}`);
  }
});

function piecesOf(bytes, length) {
  const pieces = [];
  for (let at = 0; at < bytes.length; ) {
    const next = at + length();
    pieces.push(bytes.subarray(at, next));
    at = next;
  }
  return pieces;
}

const ALPHABET = [
  "data", "data: ", "data:", "event: ", "event:", "id: ", "id:", "id", "retry: ", ":", ": ", " ", "\0", "\n", "\n\n",
  "\r", "\r\n", "\r\n\r\n", "a", "b", "7", "42", "é", "€", "😀", "\ufeff", "\u2028", "{\"token\":\"x\"}", "x: y",
].map(bytesOf).concat([Uint8Array.of(0xff), Uint8Array.of(0xe2, 0x82), Uint8Array.of(0xf0), Uint8Array.of(0x80)]);

function randomBytes(random) {
  const parts = Array.from({ length: 1 + random.below(40) }, () => [...random.pick(ALPHABET)]);
  return Uint8Array.from([...parts.flat(), ...bytesOf("\n\n")]);
}

/** What eventsource-parser makes of it. Its events have an id where a line of theirs had one. */
function parseElsewhere(bytes) {
  const seen = { events: [], comments: [], retries: [] };
  const parser = createParser({
    onEvent: ({ event, data }) => seen.events.push({ type: event ?? "message", data }),
    onComment: (text) => seen.comments.push(text),
    onRetry: (ms) => seen.retries.push(ms),
  });
  parser.feed(new TextDecoder().decode(bytes));
  return seen;
}

/** The ids, the slow way: it has all of the text at once. */
function idsOf(bytes) {
  let last = "";
  let hasData = false;
  const ids = [];
  for (const line of new TextDecoder().decode(bytes).split(/\r\n|\r|\n/).slice(0, -1)) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (line === "") {
      if (hasData) ids.push(last);
      hasData = false;
    } else if (name === "data") hasData = true;
    else if (name === "id" && !value.includes("\0")) last = value;
  }
  return ids;
}

test("it agrees with eventsource-parser on 5000 random streams, cut at random", () => {
  const random = seeded(20260101);
  for (let round = 0; round < 5000; round += 1) {
    const bytes = randomBytes(random);
    const seen = parse(piecesOf(bytes, () => 1 + random.below(9)));
    const { events, ...rest } = seen;
    const own = { events: events.map(({ type, data }) => ({ type, data })), ...rest };
    const hint = `round ${round}: ${JSON.stringify(new TextDecoder().decode(bytes))}`;
    assert.deepEqual(own, parseElsewhere(bytes), hint);
    assert.deepEqual(events.map((event) => event.lastEventId), idsOf(bytes), hint);
  }
});
