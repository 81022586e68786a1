// The replies of a client that have not ended: begins them, and knows which message is which.

import { Delivery } from "./delivery.js";
import { IncomingReply } from "./reply.js";
import { settingsOf } from "./settings.js";
import { TandemError } from "./tandem-error.js";

/** @import { Attachments } from "./attachments.js" */
/** @import { Transports } from "./delivery.js" */
/** @import { Http } from "./http.js" */
/** @import { Place } from "./reply.js" */
/** @import { Settings } from "./settings.js" */
/** @import { Stopper } from "./stop.js" */
/** @import { StreamRequest } from "./transports/frames.js" */
/** @import { SendOptions } from "./types.js" */

/**
 * What replies need of their client.
 * @typedef {object} ReplyParts
 * @property {Http} http
 * @property {Settings} settings
 * @property {{ sse: Transports["sse"], socket: Transports["socket"] }} transports
 * @property {Stopper} stopper
 * @property {Attachments} attachments
 */

const UNSENT = { retryable: false };

export class Replies {
  #parts;
  /** @type {Map<string, IncomingReply>} */
  #byKey = new Map(); // those that have not ended, each by all of its keys
  /** @type {Set<IncomingReply>} */
  #open = new Set();

  /** @param {ReplyParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /** @param {string} key */
  get(key) {
    return this.#byKey.get(key);
  }

  [Symbol.iterator]() {
    return this.#open[Symbol.iterator]();
  }

  /**
   * Begin to fetch a reply.
   * @param {Place} place
   * @param {SendOptions} options
   * @param {StreamRequest | null} request
   * @param {string[]} keys
   */
  deliver(place, options, request, keys) {
    const { http, transports, stopper } = this.#parts;
    const settings = settingsOf(this.#parts.settings, options);
    if (!transports[settings.transport]) {
      throw new TypeError(`transport ${settings.transport}: not known, or needs the option io`);
    }
    const uploading = new AbortController();
    /** @type {IncomingReply} */
    const reply = new IncomingReply(place, () => {
      if (delivery.begunAt) return stopper.stopReply(reply, delivery);
      uploading.abort(new TandemError("aborted", undefined, UNSENT));
      return stopper.notStarted(reply);
    });
    const reasoning = Boolean(options.reasoning);
    const delivery = new Delivery(reply, { transports, http, settings, request, reasoning });
    this.#keep(reply, keys);
    if (!watchSignal(options.signal, reply)) return reply;
    const { attachments = [] } = options;
    if (!request || attachments.length === 0) {
      delivery.run();
    } else {
      const start = () => delivery.run();
      this.#upload(reply, attachments, request, uploading, start);
    }
    return reply;
  }

  /**
   * Put the ids of the attachments into the request, and start, unless the reply is over by then.
   * @param {IncomingReply} reply
   * @param {NonNullable<SendOptions["attachments"]>} given
   * @param {StreamRequest} request
   * @param {AbortController} uploading
   * @param {() => void} start
   */
  async #upload(reply, given, request, uploading, start) {
    const leave = () => uploading.abort(reply.left.reason);
    reply.left.addEventListener("abort", leave);
    try {
      const tell = reply.note.bind(reply);
      request.body.attachments = await this.#parts.attachments.idsOf(given, tell, uploading.signal);
      uploading.signal.throwIfAborted();
    } catch (error) {
      if (!reply.ended) reply.fail(error);
    } finally {
      reply.left.removeEventListener("abort", leave);
    }
    if (!reply.ended) start();
  }

  /**
   * @param {IncomingReply} reply
   * @param {string[]} keys
   */
  #keep(reply, keys) {
    this.#open.add(reply);
    for (const key of keys) this.#byKey.set(key, reply);
    const forget = () => {
      this.#open.delete(reply);
      for (const key of keys) this.#byKey.delete(key);
    };
    reply.whole.then(forget, forget);
  }
}

/**
 * Have the signal stop the reply. Return false if it is aborted already, and nothing must be sent.
 * @param {AbortSignal | undefined} signal
 * @param {IncomingReply} reply
 */
function watchSignal(signal, reply) {
  if (!signal) return true;
  if (signal.aborted) {
    reply.fail(new TandemError("aborted", undefined, UNSENT));
    return false;
  }
  const stop = () => reply.stop();
  signal.addEventListener("abort", stop, { once: true });
  const off = () => signal.removeEventListener("abort", stop);
  reply.whole.then(off, off);
  return true;
}
