// Pictures as `blob:` addresses: they are read with the access token, which an <img> does not send. All
// that shows one shares its address, which is revoked with the last.

const MOST_KEPT = 16;
const SHOWN = /^image\/(?:png|jpeg|gif|webp|avif|bmp)$/;

/**
 * Return an address of a picture. It stands in the page's origin, where a document could do anything:
 * what is no plain picture has no type that a browser opens.
 */
export function addressOf(blob) {
  return URL.createObjectURL(SHOWN.test(blob.type) ? blob : new Blob([blob], { type: "application/octet-stream" }));
}

export class Pictures {
  #client;
  #held = new Map(); // by id: { count, url, controller }
  #kept = new Map(); // by id: the bytes of what was uploaded here, till they are shown

  constructor(client) {
    this.#client = client;
  }

  /** Keep the bytes of an attachment, so that they need not be read. */
  keep(id, blob) {
    this.#kept.set(id, blob);
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }

  /** Return { url, release }: the promise of an address, which is to be released. */
  hold(id) {
    let entry = this.#held.get(id);
    if (!entry) this.#held.set(id, (entry = this.#load(id)));
    entry.count += 1;
    let held = true;
    const release = () => {
      if (held) this.#release(id, entry);
      held = false;
    };
    return { url: entry.url, release };
  }

  /** Have the browser save an attachment as a file. Throws TandemError. */
  async save({ attachment_id: id, name }) {
    const bytes = await this.#client.attachment(id);
    // Of no type that a browser shows: it is a file, whatever is in it.
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    const link = document.createElement("a");
    Object.assign(link, { href: url, download: name ?? "" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  #load(id) {
    const controller = new AbortController();
    const url = this.#read(id, controller.signal).then(addressOf);
    const entry = { count: 0, url, controller };
    url.catch(() => this.#held.get(id) === entry && this.#held.delete(id)); // the next one tries again
    return entry;
  }

  async #read(id, signal) {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    return kept ?? this.#client.attachment(id, { signal });
  }

  #release(id, entry) {
    entry.count -= 1;
    if (entry.count > 0) return;
    if (this.#held.get(id) === entry) this.#held.delete(id);
    entry.controller.abort();
    entry.url.then((url) => URL.revokeObjectURL(url), () => {});
  }
}
