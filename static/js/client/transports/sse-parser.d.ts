// Written by `make types` from the JSDoc of client/transports/sse-parser.js.

/**
 * Return a parser: `feed` it what arrives, and `end` it with the stream.
 * @param {SseHandlers} [handlers]
 * @returns {SseParser}
 */
export function createSseParser(handlers?: SseHandlers): SseParser;
export type SseEvent = {
    type: string;
    data: string;
    lastEventId: string;
};
export type SseHandlers = {
    onEvent?: ((event: SseEvent) => void) | undefined;
    onComment?: ((text: string) => void) | undefined;
    onRetry?: ((ms: number) => void) | undefined;
};
export type SseParser = {
    /**
     * Take what has arrived, as bytes or as text.
     */
    feed: (chunk: string | Uint8Array) => void;
    /**
     * The stream has ended. An event without its blank line is incomplete,
     * and is dropped (9.2.6).
     */
    end: () => void;
};
export type LineReader = {
    line: (text: string) => void;
    reset: () => void;
};
