// Replies over Socket.IO, all on one connection. It does not reconnect by itself: resuming a run
// does.

import { withoutTexts } from "../debug.js";
import { connectionError, errorFromJson } from "../errors.js";
import { TandemError } from "../tandem-error.js";
import { SocketLink } from "./socket-link.js";

/** @import { Http } from "../http.js" */
/** @import { Receipt } from "../records.js" */
/** @import { Io, Socket } from "../types.js" */
/** @import { Frame, StreamRequest } from "./frames.js" */

/** @typedef {(...args: any[]) => void} Handler */

const EVENTS = [
  "chat_token",
  "chat_tool",
  "chat_file",
  "chat_complete",
  "chat_requires_action",
  "chat_stream_error",
  "chat_status",
];
// A connect that is refused with one of these would be refused again.
const REFUSALS = new Set(["unauthorized", "forbidden_origin", "invalid_request"]);
const OPTIONS = {
  autoConnect: false,
  forceNew: true,
  reconnection: false,
  transports: ["websocket", "polling"],
  tryAllTransports: true,
};

// A name, so that no bundler looks for the file: beside a bundle there is none.
const VENDORED = "../../../vendor/socket.io.esm.min.js";
const NOT_LOADED = "Socket.IO's client could not be loaded. Pass it to the client: "
  + "`new TandemClient({ io })`, with `import { io } from \"socket.io-client\"`.";

export class SocketTransport {
  #http;
  #io;
  /** @type {Promise<Socket> | null} */
  #making = null;
  /** @type {Socket | null} */
  #socket = null;
  /** @type {string | null} */
  #token = null; // that it connected with, or was refused with
  /** @type {Set<SocketLink>} */
  #links = new Set();

  /**
   * @param {Http} http
   * @param {Io} [io] By default what static/vendor has.
   */
  constructor(http, io) {
    this.#http = http;
    this.#io = io;
  }

  get connected() {
    return this.#socket?.connected ?? false;
  }

  /**
   * Start a run, or join the one that this key has started. Yields frames; throws TandemError.
   * @param {StreamRequest} request
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *start({ body, key }, signal) {
    const data = { ...body, partial: false, idempotency_key: key };
    yield* this.#follow("chat_stream", data, signal);
  }

  /**
   * Follow a run beyond `after`. Yields frames; throws TandemError.
   * @param {string} runId
   * @param {number} after
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *resume(runId, after, signal, reasoning = false) {
    const data = { run_id: runId, seq: after, partial: false, ...(reasoning ? { reasoning } : {}) };
    yield* this.#follow("chat_resume", data, signal);
  }

  /**
   * Stop a run; return the receipt. Throws TandemError.
   * @param {string} runId
   * @param {AbortSignal} signal
   * @returns {Promise<Receipt>}
   */
  stop(runId, signal) {
    return this.#ask("chat_stop", { run_id: runId }, signal);
  }

  close() {
    this.#socket?.disconnect();
  }

  /**
   * @param {string} event
   * @param {object} data
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *#follow(event, data, signal) {
    const link = new SocketLink(signal);
    this.#links.add(link); // before the event is sent: pieces may come before its ack
    try {
      const ack = await this.#ask(event, data, signal);
      link.open(ack.run_id);
      yield { kind: "open", runId: ack.run_id, sessionId: ack.session_id ?? null };
      if (ack.status && ack.status !== "running" && ack.status !== "queued") {
        yield { kind: "ended" }; // the rest follows, if there is any
      }
      yield* link.frames();
    } finally {
      this.#links.delete(link);
      // Socket.IO has no event to leave a run: a connection that nobody needs would go on bringing
      // it. A connection that is silent for one reply is silent for all.
      const silent = signal.reason?.code === "chunk_timeout";
      if (silent || (this.#links.size === 0 && !link.ended)) this.close();
    }
  }

  /** @param {AbortSignal} signal */
  async #connect(signal) {
    const socket = await this.#made();
    if (socket.connected) return socket;
    try {
      await this.#connected(socket, signal);
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== "unauthorized") throw error;
      if (await this.#http.token() === this.#token) throw error;
      await this.#connected(socket, signal); // somebody has signed in since
    }
    return socket;
  }

  /**
   * @param {Socket} socket
   * @param {AbortSignal} signal
   */
  #connected(socket, signal) {
    this.#http.say("connects over Socket.IO");
    return settled(signal, (resolve, reject) => {
      const off = listen(socket, {
        connect: resolve,
        connect_error: (error) => reject(connectFailure(error)),
        disconnect: () => reject(new TandemError("network")),
      });
      socket.connect();
      return off;
    });
  }

  #made() {
    this.#making ??= this.#make().catch((error) => {
      this.#making = null; // another time the library may load
      throw error;
    });
    return this.#making;
  }

  async #make() {
    const io = this.#io ?? globalIo() ?? (await importIo());
    const auth = (/** @type {Handler} */ give) => {
      this.#http.token().catch(() => null).then((token) => {
        this.#token = token;
        give(token ? { token } : {});
      });
    };
    const options = { ...OPTIONS, auth };
    const socket = this.#http.baseUrl ? io(this.#http.baseUrl, options) : io(options);
    for (const name of EVENTS) socket.on(name, (payload) => this.#take(payload));
    socket.on("disconnect", () => this.#cut());
    this.#socket = socket;
    return socket;
  }

  /** @param {any} payload */
  #take(payload) {
    for (const link of this.#links) link.take(payload);
  }

  #cut() {
    this.#http.say("Socket.IO is disconnected", { replies: this.#links.size });
    for (const link of this.#links) link.fail(new TandemError("network"));
  }

  /**
   * @param {string} event
   * @param {object} data
   * @param {AbortSignal} signal
   */
  async #ask(event, data, signal) {
    const socket = await this.#connect(signal);
    this.#http.say(`emit ${event}`, withoutTexts(data));
    const ack = await settled(signal, (resolve, reject) => {
      const off = listen(socket, { disconnect: () => reject(new TandemError("network")) });
      socket.emit(event, data, resolve);
      return off;
    });
    if (ack?.error) throw errorFromJson(ack.error);
    if (!ack) throw new TandemError("bad_answer");
    return ack;
  }
}

/**
 * Wait until `begin` resolves or rejects, or the signal aborts; then call what `begin` returned.
 * @param {AbortSignal} signal
 * @param {(resolve: (value?: any) => void, reject: (error: unknown) => void) => () => void} begin
 * @returns {Promise<any>}
 */
async function settled(signal, begin) {
  /** @type {(() => void) | undefined} */
  let off;
  /** @type {() => void} */
  let aborted = () => {};
  try {
    return await new Promise((resolve, reject) => {
      aborted = () => reject(connectionError(new Error("aborted"), signal));
      if (signal.aborted) {
        aborted();
        return;
      }
      signal.addEventListener("abort", aborted);
      off = begin(resolve, reject);
    });
  } finally {
    signal.removeEventListener("abort", aborted);
    off?.();
  }
}

/**
 * Listen; return what ends it.
 * @param {Socket} socket
 * @param {Record<string, Handler>} handlers
 */
function listen(socket, handlers) {
  for (const [name, handler] of Object.entries(handlers)) socket.on(name, handler);
  return () => {
    for (const [name, handler] of Object.entries(handlers)) socket.off(name, handler);
  };
}

/** @param {Error} error */
function connectFailure(error) {
  const refused = REFUSALS.has(error.message);
  if (refused) return new TandemError(error.message, undefined, { retryable: false });
  return new TandemError("network", undefined, { cause: error });
}

/** Return the global of a page that loads Socket.IO's client by a script. */
function globalIo() {
  const { io } = /** @type {{ io?: Io }} */ (globalThis);
  return typeof io === "function" ? io : undefined; // an element whose id is "io" is a global too
}

/** @returns {Promise<Io>} */
async function importIo() {
  try {
    const { href } = new URL(VENDORED, import.meta.url);
    const { io } = await import(/* webpackIgnore: true */ /* @vite-ignore */ href);
    if (typeof io !== "function") throw new TypeError("there is no `io` in it");
    return io;
  } catch (error) {
    throw new TandemError("network", NOT_LOADED, { cause: error });
  }
}
