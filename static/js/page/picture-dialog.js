// A picture, as large as there is room.

import { closeBeside } from "./dialogs.js";
import { $, h, iconButton } from "./dom.js";
import { nameOf } from "./formats.js";
import { strings } from "./strings.js";

/** Return what opens a picture. The browser closes the dialog on Esc, and gives back the focus. */
export function pictureDialog(pictures, fail) {
  const dialog = $("picture");
  let held = null;
  closeBeside(dialog);
  dialog.addEventListener("close", () => {
    held?.release();
    held = null;
    dialog.replaceChildren();
  });
  return (part) => {
    const name = nameOf(part);
    const image = h("img", { alt: name });
    const save = iconButton("down", strings.saveFile(name, ""), () => pictures.save(part).catch(fail));
    const close = iconButton("close", strings.close, () => dialog.close(), { autofocus: true });
    const head = h("div.picture-head", {}, h("h2", { id: "picture-title", dir: "auto" }, name), save, close);
    dialog.replaceChildren(head, h("div.picture-frame", { onclick: (event) => event.target !== image && dialog.close() }, image));
    const mine = (held = pictures.hold(part.attachment_id));
    mine.url.then((url) => { if (held === mine) image.src = url; }, (error) => {
      if (held === mine) dialog.close();
      fail(error);
    });
    dialog.showModal();
  };
}
