// The event stream grammar of WHATWG HTML (9.2.5, 9.2.6), whatever way the bytes are cut.
// Pure: bytes in, events out. It connects to nothing and knows nothing of Tandem.

/**
 * @typedef {object} SseEvent
 * @property {string} type
 * @property {string} data
 * @property {string} lastEventId
 */

/**
 * @typedef {object} SseHandlers
 * @property {(event: SseEvent) => void} [onEvent]
 * @property {(text: string) => void} [onComment]
 * @property {(ms: number) => void} [onRetry]
 */

/**
 * @typedef {object} SseParser
 * @property {(chunk: string | Uint8Array) => void} feed Take what has arrived, as bytes or as text.
 * @property {() => void} end The stream has ended. An event without its blank line is incomplete,
 *   and is dropped (9.2.6).
 */

/** @typedef {{ line: (text: string) => void, reset: () => void }} LineReader */

const LINE_END = /\r\n?|\n/g; // U+2028 and U+0085 end no line here
const DIGITS = /^[0-9]+$/;

/**
 * Return a parser: `feed` it what arrives, and `end` it with the stream.
 * @param {SseHandlers} [handlers]
 * @returns {SseParser}
 */
export function createSseParser(handlers = {}) {
  const lines = createLineSplitter(createLineReader(handlers));
  let decoder = newDecoder();
  return {
    feed(chunk) {
      lines.feed(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }));
    },
    end() {
      decoder = newDecoder();
      lines.reset();
    },
  };
}

// The splitter takes the BOM off, from text as from bytes.
const newDecoder = () => new TextDecoder("utf-8", { ignoreBOM: true });

/** @param {LineReader} reader */
function createLineSplitter(reader) {
  let rest = ""; // of a line whose end has not arrived; only what is new is searched for an end
  let first = true;
  let afterCr = false; // the last chunk ended in CR: an LF that comes now belongs to it

  /** @param {string} chunk */
  function feed(chunk) {
    let text = chunk;
    if (text === "") return;
    if (first && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    first = false;
    if (text === "") return;
    if (afterCr && text[0] === "\n") text = text.slice(1);
    afterCr = false;
    let start = 0;
    for (const end of text.matchAll(LINE_END)) {
      const line = rest + text.slice(start, end.index);
      rest = "";
      start = end.index + end[0].length;
      afterCr = end[0] === "\r" && start === text.length;
      reader.line(line);
    }
    rest += text.slice(start);
  }

  function reset() {
    rest = "";
    first = true;
    afterCr = false;
    reader.reset();
  }

  return { feed, reset };
}

/**
 * @param {SseHandlers} handlers
 * @returns {LineReader}
 */
function createLineReader({ onEvent, onComment, onRetry }) {
  /** @type {string | null} */
  let data = null; // null: no data line yet, which is not the same as an empty one
  let type = "";
  let lastEventId = ""; // kept from event to event, as the standard says

  /** @type {Record<string, (value: string) => void>} */
  const fields = {
    data: (value) => { data = data === null ? value : `${data}\n${value}`; },
    event: (value) => { type = value; },
    id: (value) => { if (!value.includes("\0")) lastEventId = value; },
    retry: (value) => { if (DIGITS.test(value)) onRetry?.(Number(value)); },
  };

  function dispatch() {
    const event = data === null ? null : { type: type || "message", data, lastEventId };
    data = null;
    type = "";
    if (event) onEvent?.(event);
  }

  /** @param {string} text */
  function line(text) {
    if (text === "") {
      dispatch();
      return;
    }
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : valueAfter(text, colon);
    if (colon === 0) onComment?.(value);
    // An unknown field is ignored; so are names that every object has, like "constructor".
    else if (Object.hasOwn(fields, name)) fields[name](value);
  }

  function reset() {
    data = null;
    type = "";
    lastEventId = "";
  }

  return { line, reset };
}

/**
 * @param {string} text
 * @param {number} colon
 */
function valueAfter(text, colon) {
  return text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
}
