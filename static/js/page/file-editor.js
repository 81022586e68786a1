// The pictures and files of a message that is edited: they stay, unless they are taken off.

import { h, iconButton } from "./dom.js";
import { FileView } from "./file-view.js";
import { nameOf } from "./formats.js";
import { strings } from "./strings.js";

/** Return { element, kept }: what is shown, and the parts that stay. */
export function fileEditor(parts, files) {
  const kept = parts.filter((part) => part.attachment_id);
  const rows = new Map();
  const element = h("ul.files", { hidden: kept.length === 0, "aria-label": strings.attachments });
  for (const part of kept) {
    const view = new FileView(part, files);
    const off = iconButton("close", strings.removeFile(nameOf(part)), () => takeOff(part));
    rows.set(part, { view, row: h("li.removable", {}, view.element, off) });
    element.append(rows.get(part).row);
  }

  function takeOff(part) {
    const { view, row } = rows.get(part);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    kept.splice(kept.indexOf(part), 1);
    row.remove();
    view.release();
    element.hidden = kept.length === 0;
    (next?.querySelector(".icon-button") ?? element.parentElement.querySelector("textarea")).focus();
  }

  const release = () => {
    for (const { view } of rows.values()) view.release();
  };
  return { element, kept, release };
}
