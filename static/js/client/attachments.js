// Pictures and files of messages: uploads, and what is asked of them afterwards (docs/api.md).

import { isPassing } from "./errors.js";
import { path } from "./http.js";
import { backoffMs, isOffline, pause } from "./pause.js";
import { randomId } from "./random-id.js";
import { TandemError } from "./tandem-error.js";
import { Watchdog } from "./watchdog.js";

/** @import { Http } from "./http.js" */
/** @import { Attachment } from "./records.js" */
/** @import { Settings } from "./settings.js" */
/** @import { Attachable, UploadEvent, UploadOptions } from "./uploads.js" */

const SILENT_MS = 60_000; // without a byte going out, or without the answer after the last one
const UNSEEN_MS = 1_800_000; // where nobody tells what has gone out
const LONE_SURROGATES = /[\ud800-\udfff]/gu; // no UTF-8 has them

const of = (/** @type {string} */ id) => path`/api/attachments/${id}`;

export class Attachments {
  #http;
  #retry;

  /**
   * @param {Http} http
   * @param {Settings["retry"]} retry
   */
  constructor(http, retry) {
    this.#http = http;
    this.#retry = retry;
  }

  /**
   * Upload, once: a try after a cut has the key of the one before. Throws TandemError.
   * @param {Blob} file
   * @param {UploadOptions} [options]
   * @returns {Promise<Attachment>}
   */
  async upload(file, { name, onProgress, signal, idempotencyKey } = {}) {
    const headers = { ...headersOf(file, name), "Idempotency-Key": idempotencyKey ?? randomId() };
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#try(file, headers, onProgress, signal);
      } catch (error) {
        const isOver = tries >= this.#retry.times && !isOffline();
        if (signal?.aborted || isOver || !isPassing(error)) throw error;
        await this.#wait(tries, error, signal);
      }
    }
  }

  /**
   * Upload what is not uploaded yet, one after another; return the ids of all.
   * @param {readonly Attachable[]} given
   * @param {(event: UploadEvent) => void} tell
   * @param {AbortSignal} signal
   */
  async idsOf(given, tell, signal) {
    const ids = [];
    for (const [index, one] of given.entries()) {
      if (!(one instanceof Blob)) {
        ids.push(typeof one === "string" ? one : one.id);
        continue;
      }
      const event = { type: /** @type {const} */ ("upload"), index, name: nameOf(one) };
      const onProgress = (/** @type {{ loaded: number, total: number }} */ progress) => {
        tell({ ...event, ...progress });
      };
      const attachment = await this.upload(one, { onProgress, signal });
      tell({ ...event, loaded: one.size, total: one.size, attachment });
      ids.push(attachment.id);
    }
    return ids;
  }

  /** @param {string} id */
  url(id) {
    return this.#http.baseUrl + of(id);
  }

  /**
   * @param {string} id
   * @param {AbortSignal} [signal]
   * @returns {Promise<Blob>}
   */
  async read(id, signal) {
    const response = await this.#http.request("GET", of(id), { signal });
    try {
      return await response.blob();
    } catch (error) {
      throw new TandemError("network", undefined, { cause: error });
    }
  }

  /** @param {string} id */
  async has(id) {
    try {
      await this.#http.request("HEAD", of(id));
      return true;
    } catch (error) {
      if (error instanceof TandemError && error.status === 404) return false;
      throw error;
    }
  }

  /** @param {string} id */
  async remove(id) {
    await this.#http.request("DELETE", of(id));
  }

  /**
   * @param {Blob} file
   * @param {Record<string, string>} headers
   * @param {UploadOptions["onProgress"]} onProgress
   * @param {AbortSignal} [parent]
   */
  async #try(file, headers, onProgress, parent) {
    const watchdog = new Watchdog(parent);
    const { signal } = watchdog;
    watchdog.limit("chunk_timeout", this.#http.tellsProgress ? SILENT_MS : UNSEEN_MS);
    const onSent = (/** @type {number} */ loaded) => {
      watchdog.limit("chunk_timeout", SILENT_MS);
      onProgress?.({ loaded, total: file.size });
    };
    try {
      const options = { body: file, headers, signal, onSent };
      return await this.#http.json("POST", "/api/attachments", options);
    } catch (error) {
      if (!parent?.aborted || parent.reason instanceof TandemError) throw error;
      throw new TandemError("aborted", undefined, { retryable: false });
    } finally {
      watchdog.close();
    }
  }

  /**
   * @param {number} tries
   * @param {TandemError} error
   * @param {AbortSignal} [signal]
   */
  async #wait(tries, error, signal) {
    const wakeable = error.retryAfterS === null;
    const ms = backoffMs(tries, this.#retry) + (error.retryAfterS ?? 0) * 1000;
    await pause(ms, signal, { wakeable }).catch(() => {
      throw new TandemError("aborted", undefined, { retryable: false });
    });
  }
}

/**
 * What tells one message's attachments from another's.
 * @param {readonly Attachable[]} [given]
 */
export function marksOf(given) {
  return given?.map((one) => {
    if (!(one instanceof Blob)) return typeof one === "string" ? one : one.id;
    return [nameOf(one), one.size, "lastModified" in one ? one.lastModified : null];
  });
}

/** @param {Blob} file */
function nameOf(file) {
  return "name" in file && typeof file.name === "string" ? file.name : "";
}

/**
 * @param {Blob} file
 * @param {string} [name]
 * @returns {Record<string, string>}
 */
function headersOf(file, name = nameOf(file)) {
  const type = { "Content-Type": file.type || "application/octet-stream" };
  if (!name) return type;
  return { ...type, "X-File-Name": encodeURIComponent(name.replace(LONE_SURROGATES, "\ufffd")) };
}
