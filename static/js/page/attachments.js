// What is attached to messages that are being written: uploads, two at once, and what is kept of them
// with the drafts.

import { partOf, randomId } from "../tandem-client.js";
import { draftFilesOf, keepDraftFiles } from "./drafts.js";
import { nameOf } from "./formats.js";
import { addressOf } from "./pictures.js";
import { attachedTo, placeOf } from "./state.js";
import { strings } from "./strings.js";

const MOST = 32; // of one message, at the server
const AT_ONCE = 2;
const isPicture = ({ type }) => type.startsWith("image/");

/**
 * An item is { key, part, state, sent, error, preview }: `part` as a message has it, once it is "ready"
 * with its id; `state` before is "waiting", "uploading" or "failed"; `sent` is a share of 1.
 */
export class Attachments {
  #client;
  #store;
  #pictures;
  #say;
  #onError;
  #uploads = new Map(); // by key: { file, place, name, controller }
  #queue = [];
  #running = 0;

  constructor(client, store, { pictures, say, onError }) {
    this.#client = client;
    this.#store = store;
    this.#pictures = pictures;
    this.#say = say;
    this.#onError = onError;
  }

  /** Attach files to the message that is being written. */
  add(files) {
    const { sessionId } = this.#store.state;
    const place = placeOf(sessionId);
    const free = MOST - attachedTo(this.#store.state, sessionId).length;
    const added = files.slice(0, free);
    const refused = files.length > free ? strings.tooManyFiles(MOST) : null;
    this.note(refused);
    if (added.length) this.#change(place, (items) => [...items, ...added.map((file) => this.#begun(file, place))]);
    const said = [added.length ? strings.saidAttached(added.length) : null, refused];
    if (files.length) this.#say(said.filter(Boolean).join(" "));
    this.#next();
  }

  retry(key) {
    const upload = this.#uploads.get(key);
    if (!upload) return;
    this.note(null);
    this.#item(key, { state: "waiting", sent: 0, error: null });
    this.#queue.push(key);
    this.#next();
  }

  /** Take one off: its upload is given up, or deleted. */
  remove(key) {
    const { state } = this.#store;
    const item = attachedTo(state, state.sessionId).find((one) => one.key === key);
    if (!item) return;
    this.note(null);
    this.#takeOff(placeOf(state.sessionId), key);
    this.#uploads.get(key)?.controller.abort();
    this.#forget(item);
    if (item.part.attachment_id) this.#client.removeAttachment(item.part.attachment_id).catch(() => {}); // the server sweeps
    this.#say(strings.saidRemoved(nameOf(item.part)));
  }

  /** Take all off, to send them; return them as parts. */
  take() {
    const { state } = this.#store;
    const items = attachedTo(state, state.sessionId);
    for (const item of items) this.#forget(item);
    this.note(null);
    if (items.length) this.#change(placeOf(state.sessionId), () => []);
    return items.map(({ part }) => part);
  }

  /** Attach parts that were not sent, before those there are; none of them twice. */
  putBack(sessionId, parts) {
    const ids = new Set(attachedTo(this.#store.state, sessionId).map(({ part }) => part.attachment_id));
    const missing = parts.filter((part) => !ids.has(part.attachment_id));
    if (missing.length) this.#change(placeOf(sessionId), (items) => [...missing.map(ready), ...items]);
    return this.#check(sessionId);
  }

  /** What was attached in one conversation is to be attached in another one. */
  move(from, to) {
    const moved = attachedTo(this.#store.state, from);
    if (!moved.length) return;
    this.restore(to);
    for (const { key } of moved) if (this.#uploads.has(key)) this.#uploads.get(key).place = placeOf(to);
    this.#change(placeOf(from), () => []);
    this.#change(placeOf(to), (items) => [...moved, ...items]);
  }

  /** Show what was kept with the draft of a conversation, unless it is there. */
  restore(sessionId) {
    const place = placeOf(sessionId);
    if (this.#store.state.attached[place]) return;
    const kept = draftFilesOf(sessionId);
    if (!kept.length) return;
    this.#change(place, () => kept.map(ready));
    this.#check(sessionId);
  }

  note(attachNote) {
    this.#store.set({ attachNote });
  }

  /** Take off what is not at the server any more. */
  async #check(sessionId) {
    const place = placeOf(sessionId);
    for (const item of attachedTo(this.#store.state, sessionId)) {
      const { key, part } = item;
      if (!part.attachment_id) continue;
      const isThere = await this.#client.hasAttachment(part.attachment_id).catch(() => true);
      if (isThere) continue;
      this.#takeOff(place, key);
      this.#forget(item);
      const said = strings.fileGone(nameOf(part));
      this.note(said);
      this.#say(said);
    }
  }

  /** A message that waits for its uploads is not sent without one that it had. */
  #takeOff(place, key) {
    this.#change(place, (items) => items.filter((one) => one.key !== key));
    if (this.#store.state.sendWaits === place) this.#store.set({ sendWaits: null });
  }

  #begun(file, place) {
    const key = randomId();
    this.#uploads.set(key, { file, place, name: key, controller: new AbortController() });
    this.#queue.push(key);
    const part = { type: isPicture(file) ? "image" : "file", name: file.name, media_type: file.type, bytes: file.size };
    return { key, part, state: "waiting", sent: 0, error: null, preview: isPicture(file) ? addressOf(file) : null };
  }

  #next() {
    while (this.#running < AT_ONCE && this.#queue.length) this.#upload(this.#queue.shift());
  }

  async #upload(key) {
    const upload = this.#uploads.get(key);
    if (!upload) return; // taken off meanwhile
    this.#running += 1;
    this.#item(key, { state: "uploading" });
    const onProgress = ({ loaded, total }) => this.#item(key, { sent: total ? loaded / total : 1 });
    const { file, name, controller: { signal } } = upload;
    try {
      const part = partOf(await this.#client.upload(file, { onProgress, signal, idempotencyKey: name }));
      if (part.type === "image") this.#pictures.keep(part.attachment_id, file);
      this.#item(key, { state: "ready", sent: 1, part });
      this.#uploads.delete(key);
    } catch (error) {
      if (!signal.aborted) this.#failed(key, upload, error);
    }
    this.#running -= 1;
    this.#next();
  }

  #failed(key, upload, error) {
    if (error.status) upload.name = randomId(); // what was refused is asked anew
    const text = this.#onError(error) ? strings.signInNeeded : error.message;
    this.#item(key, { state: "failed", error: text });
    this.#say(strings.saidUploadFailed(upload.file.name, text));
  }

  #forget({ key, preview }) {
    this.#uploads.delete(key);
    if (preview) URL.revokeObjectURL(preview);
  }

  #item(key, change) {
    const place = this.#uploads.get(key)?.place;
    if (place === undefined) return;
    this.#change(place, (items) => items.map((one) => (one.key === key ? { ...one, ...change } : one)));
  }

  #change(place, change) {
    this.#store.set(({ attached }) => ({ attached: { ...attached, [place]: change(attached[place] ?? []) } }));
    keepDraftFiles(place, this.#store.state.attached[place].map(({ part }) => part).filter((part) => part.attachment_id));
  }
}

const ready = (part) => ({ key: part.attachment_id, part, state: "ready", sent: 1, error: null, preview: null });
