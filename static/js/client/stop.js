// Stops runs: asks until the server has answered.

import { isPassing } from "./errors.js";
import { path } from "./http.js";
import { backoffMs, isOffline, pause } from "./pause.js";
import { Watchdog } from "./watchdog.js";

/** @import { Delivery } from "./delivery.js" */
/** @import { Http } from "./http.js" */
/** @import { Receipt, Sessions } from "./records.js" */
/** @import { IncomingReply } from "./reply.js" */
/** @import { Settings } from "./settings.js" */
/** @import { SocketTransport } from "./transports/socket.js" */

const STOP_TRIES = 5;
const STOP_MS = 15_000; // the server answers within 10 s, stored or not

export class Stopper {
  #http;
  #sessions;
  #retry;
  #socket;

  /**
   * @param {Http} http
   * @param {Sessions} sessions
   * @param {Settings["retry"]} retry
   * @param {SocketTransport} [socket]
   */
  constructor(http, sessions, retry, socket) {
    this.#http = http;
    this.#sessions = sessions;
    this.#retry = retry;
    this.#socket = socket;
  }

  /**
   * Stop the run of a reply, once it is known; return the receipt. Rejects if no run was started.
   * @param {IncomingReply} reply
   * @param {Delivery} delivery
   * @returns {Promise<Receipt>}
   */
  async stopReply(reply, delivery) {
    const runId = delivery.way === "whole" ? await this.#findRun(reply) : await reply.known();
    if (!runId) return await this.notStarted(reply);
    for (let tries = 0; ; tries += 1) {
      try {
        const overSocket = tries === 0 && delivery.way === "socket";
        return await this.stop(runId, overSocket);
      } catch (error) {
        if ((tries >= STOP_TRIES && !isOffline()) || !isPassing(error)) throw error;
        await pause(backoffMs(tries, this.#retry) + (error.retryAfterS ?? 0) * 1000);
      }
    }
  }

  /**
   * Reject, with the error of a reply that ends without a run.
   * @param {IncomingReply} reply
   * @returns {Promise<never>}
   */
  async notStarted(reply) {
    throw await reply.whole.catch((error) => error);
  }

  /**
   * Ask once, over the socket only if it is connected; return the receipt.
   * @param {string} runId
   * @returns {Promise<Receipt>}
   */
  async stop(runId, overSocket = false) {
    const watchdog = new Watchdog();
    watchdog.limit("chunk_timeout", STOP_MS);
    const { signal } = watchdog;
    try {
      if (overSocket && this.#socket?.connected) return await this.#socket.stop(runId, signal);
      return await this.#http.json("POST", path`/api/runs/${runId}/stop`, { signal });
    } finally {
      watchdog.close();
    }
  }

  /**
   * Look for the run of a whole answer in its session, till either is there.
   * @param {IncomingReply} reply
   */
  async #findRun(reply) {
    for (let tries = 0; !reply.ended; tries += 1) {
      const session = await this.#sessions.get(reply.sessionId ?? "").catch(() => null);
      if (session?.active_run) return session.active_run.run_id;
      await Promise.race([pause(backoffMs(tries, this.#retry)), reply.known()]);
    }
    return reply.runId;
  }
}
