// A picture or a file of a message: a thumbnail that opens large, or a chip that is saved.

import { $, h, setText } from "./dom.js";
import { nameOf, sizeOf } from "./formats.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

const [WIDEST, HIGHEST] = [320, 256]; // pixels of a thumbnail
const loads = new WeakMap(); // what is to be loaded when it comes near, by its element
let observer = null;

/** Call `load` once the element is near what is on show. */
function whenNear(element, load) {
  observer ??= new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) loads.get(target)?.();
  }, { root: $("scroller"), rootMargin: "800px 0px" });
  loads.set(element, load);
  observer.observe(element);
}

/** `files` is { pictures, open(part, opener), fail(error) }. */
export class FileView {
  element;
  #part;
  #files;
  #held = null;

  constructor(part, files) {
    this.#part = part;
    this.#files = files;
    const isShown = part.type === "image" && part.attachment_id;
    this.element = isShown ? this.#picture() : part.url ? linkTo(part) : this.#chip();
  }

  fits({ file }) {
    return file !== undefined && idOf(file) === idOf(this.#part);
  }

  update() {}

  release() {
    observer?.unobserve(this.element);
    this.#held?.release();
    this.#held = null;
  }

  #picture() {
    const name = nameOf(this.#part);
    const image = h("img", { alt: name, decoding: "async", hidden: true });
    const note = h("span.picture-note", { hidden: true });
    const button = h("button.picture", { type: "button", "aria-label": strings.openPicture(name), title: name }, image, note);
    const load = () => {
      observer.unobserve(button);
      this.#load(image, note, button);
    };
    button.onclick = () => {
      if (note.hidden) this.#files.open(this.#part);
      else load();
    };
    image.onload = () => sized(button, image.naturalWidth, image.naturalHeight);
    sized(button, this.#part.width, this.#part.height);
    whenNear(button, load);
    return button;
  }

  async #load(image, note, button) {
    const name = nameOf(this.#part);
    this.#held?.release();
    const held = (this.#held = this.#files.pictures.hold(this.#part.attachment_id));
    button.setAttribute("aria-busy", "true");
    try {
      const url = await held.url;
      if (held !== this.#held) return;
      image.src = url;
      await image.decode();
      [image.hidden, note.hidden] = [false, true];
      button.setAttribute("aria-label", strings.openPicture(name));
    } catch {
      if (held !== this.#held) return;
      const failed = strings.pictureFailed(name);
      setText(note, failed);
      [image.hidden, note.hidden] = [true, false];
      button.setAttribute("aria-label", failed);
    }
    button.removeAttribute("aria-busy");
  }

  #chip() {
    const { bytes } = this.#part;
    const [name, size] = [nameOf(this.#part), bytes === undefined ? "" : sizeOf(bytes)];
    const save = () => this.#files.pictures.save(this.#part).catch(this.#files.fail);
    return h("button.file-chip", { type: "button", title: name, "aria-label": strings.saveFile(name, size), onclick: save }, icon("file"), h("span.file-name", { dir: "auto" }, name), h("span.file-size", {}, size));
  }
}

/** The pictures and files of a message, in a list. */
export class FilesView {
  element = h("ul.files", { hidden: true, "aria-label": strings.attachments });
  #files;
  #views = [];

  constructor(files) {
    this.#files = files;
  }

  update(parts) {
    const same = parts.length === this.#views.length && this.#views.every((view, at) => view.fits({ file: parts[at] }));
    if (same) return;
    this.release();
    this.#views = parts.map((part) => new FileView(part, this.#files));
    this.element.replaceChildren(...this.#views.map(({ element }) => h("li", {}, element)));
    this.element.hidden = parts.length === 0;
  }

  release() {
    for (const view of this.#views.splice(0)) view.release();
  }
}

const idOf = ({ attachment_id: id, url, name }) => id ?? url ?? name;

/** A picture that stands elsewhere in the web: the page loads nothing from there. */
function linkTo({ url }) {
  const web = /^https?:/i.test(url);
  return h(web ? "a.file-chip" : "span.file-chip", web ? { href: url, target: "_blank", rel: "noopener noreferrer" } : {}, icon("file"), h("span.file-name", { dir: "auto" }, url.slice(0, 200)));
}

/** Give a thumbnail its room before its picture is there. */
function sized(button, width, height) {
  if (!width || !height) return;
  const scale = Math.min(1, WIDEST / width, HIGHEST / height);
  button.style.aspectRatio = `${width} / ${height}`;
  button.style.width = `${Math.max(48, Math.round(width * scale))}px`;
}
