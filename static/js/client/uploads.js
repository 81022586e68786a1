// The types of attachments, and of the events that tell of them. Nothing runs here, and no page
// loads it.

/** @import { Attachment, FilePart } from "./records.js" */

/**
 * A file, or what was uploaded, by its id.
 * @typedef {File | Blob | string | { id: string }} Attachable
 */

/**
 * @typedef {object} UploadOptions
 * @property {string} [name] By default that of the file.
 * @property {(progress: { loaded: number, total: number }) => void} [onProgress] Called in pages;
 *   elsewhere nothing tells how much has gone out.
 * @property {AbortSignal} [signal] Aborting it gives up the upload.
 * @property {string} [idempotencyKey] By default a random one.
 */

/**
 * The model has made a picture.
 * @typedef {object} FileEvent
 * @property {"file"} type
 * @property {FilePart} file
 * @property {number} seq
 */

/**
 * One of the attachments, the `index`th, goes to the server; `attachment` once it is there.
 * @typedef {object} UploadEvent
 * @property {"upload"} type
 * @property {number} index
 * @property {string} name
 * @property {number} loaded Bytes.
 * @property {number} total
 * @property {Attachment} [attachment]
 */

export {};
