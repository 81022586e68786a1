// Replies over the connection that all tabs share: a reply is started by a request that is answered
// at once, and followed on that connection, which leaves the others of the browser free.

import { errorFromJson } from "../errors.js";
import { TandemError } from "../tandem-error.js";

/** @import { Http } from "../http.js" */
/** @import { SharedStream } from "../shared/shared-stream.js" */
/** @import { Frame, StreamRequest } from "./frames.js" */
/** @import { SseTransport } from "./sse.js" */

export class SharedTransport {
  #http;
  #stream;
  #own;

  /**
   * @param {Http} http
   * @param {SharedStream} stream
   * @param {SseTransport} own What has a connection for each reply, where sharing does not work.
   */
  constructor(http, stream, own) {
    this.#http = http;
    this.#stream = stream;
    this.#own = own;
  }

  /**
   * Start a run, or join the one that this key has started. Yields frames; throws TandemError.
   * @param {StreamRequest} request
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *start(request, signal) {
    const { runId, sessionId } = await this.#begin("/api/chat/stream", request, signal);
    yield { kind: "open", runId, sessionId };
    yield* this.resume(runId, 0, signal, Boolean(request.body.reasoning));
  }

  /**
   * Follow a run beyond `after`. Yields frames; throws TandemError.
   * @param {string} runId
   * @param {number} after
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Frame>}
   */
  async *resume(runId, after, signal, reasoning = false) {
    if (this.#stream.usable) {
      try {
        yield* this.#stream.follow(runId, after, signal, reasoning);
        return;
      } catch (error) {
        if (!(error instanceof TandemError && error.code === "not_shared")) throw error;
      }
    }
    yield* this.#own.resume(runId, after, signal, reasoning); // what was seen is passed over
  }

  /**
   * Start a run, or join it; return its answer when it is whole. Throws TandemError.
   * @param {StreamRequest} request
   * @param {AbortSignal} signal
   * @param {() => void} touch Called for each sign of life.
   * @returns {Promise<any>}
   */
  async whole(request, signal, touch) {
    const { runId } = await this.#begin("/api/chat", request, signal);
    let response = "";
    touch();
    for await (const frame of this.resume(runId, 0, signal)) {
      touch();
      if (frame.kind !== "event") continue;
      const { payload } = frame;
      if (payload.done) return { ...payload, response: payload.full_response };
      if (payload.token !== undefined) response += payload.token;
      if (payload.requires_action) return { ...payload, response };
      if (payload.error !== undefined) throw errorFromJson(payload);
    }
    throw new TandemError("network"); // closed without an end
  }

  /**
   * @param {string} usual
   * @param {StreamRequest} request
   * @param {AbortSignal} signal
   */
  async #begin(usual, { body, key, url = usual }, signal) {
    /** @type {Record<string, string>} */
    const headers = key ? { "Idempotency-Key": key } : {};
    const json = { ...body, detach: true };
    const answer = await this.#http.json("POST", url, { json, headers, signal });
    if (!answer.run_id) throw new TandemError("bad_answer");
    return { runId: answer.run_id, sessionId: answer.session_id };
  }
}
