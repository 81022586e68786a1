// Written by `make types` from the JSDoc of client/uploads.js.

/**
 * A file, or what was uploaded, by its id.
 */
export type Attachable = File | Blob | string | {
    id: string;
};
export type UploadOptions = {
    /**
     * By default that of the file.
     */
    name?: string | undefined;
    /**
     * Called in pages;
     * elsewhere nothing tells how much has gone out.
     */
    onProgress?: ((progress: {
        loaded: number;
        total: number;
    }) => void) | undefined;
    /**
     * Aborting it gives up the upload.
     */
    signal?: AbortSignal | undefined;
    /**
     * By default a random one.
     */
    idempotencyKey?: string | undefined;
};
/**
 * The model has made a picture.
 */
export type FileEvent = {
    type: "file";
    file: FilePart;
    seq: number;
};
/**
 * One of the attachments, the `index`th, goes to the server; `attachment` once it is there.
 */
export type UploadEvent = {
    type: "upload";
    index: number;
    name: string;
    /**
     * Bytes.
     */
    loaded: number;
    total: number;
    attachment?: Attachment | undefined;
};
import type { FilePart } from "./records.js";
import type { Attachment } from "./records.js";
