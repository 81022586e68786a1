// Making elements. Text is always text: nothing here, or anywhere in the page, parses HTML.

import { icon } from "./icons.js";
import { strings } from "./strings.js";

export const $ = (id) => document.getElementById(id);

/** Return an element: `h("button.primary", { type: "button", onclick }, "Send")`. */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on") || key in element) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return a button that shows an icon, with its name for screen readers. */
export function iconButton(name, label, onclick, properties = {}) {
  return h("button.icon-button", { type: "button", "aria-label": label, title: label, onclick, ...properties }, icon(name));
}

/** Fill in the strings and icons that the template names. */
export function fillTemplate(root = document) {
  for (const element of root.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = strings[element.dataset.text];
  for (const element of root.querySelectorAll("[data-placeholder]")) element.placeholder = strings[element.dataset.placeholder];
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", strings[element.dataset.label]);
    if (element.localName === "button") element.title = strings[element.dataset.label];
  }
}

/** Set an element's text only if it differs: setting it would have it announced again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
