// The icons: outlines of 20 px, drawn for this page; nothing is loaded.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  menu: "M3 6h14M3 10h14M3 14h9",
  close: "M5 5l10 10M15 5L5 15",
  plus: "M10 4v12M4 10h12",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM13 13l4 4",
  settings: "M4 6h6M14 6h2M4 14h2M10 14h6M12 4.2v3.6M8 12.2v3.6",
  pulse: "M2.5 10.5h3l2.5-6 4 11 2.5-5h3",
  up: "M10 16V4.5M5 9l5-5 5 5",
  down: "M10 4v11.5M5 11l5 5 5-5",
  stop: "M6 6h8v8H6z",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  check: "M4 10.5l4 4 8-9",
  edit: "M4 16l.8-3.4L13 4.4l2.6 2.6-8.2 8.2zM11.5 6l2.6 2.6",
  again: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
  previous: "M12 5l-5 5 5 5",
  next: "M8 5l5 5-5 5",
  dots: "M5 10h.01M10 10h.01M15 10h.01",
  tool: "M12.5 4.2a3.6 3.6 0 0 0-3.7 4.9L4 13.9 6.1 16l4.8-4.8a3.6 3.6 0 0 0 4.9-3.7l-2.2 2.2-2.6-.7-.7-2.6z",
  clip: "M14.5 9.5l-5 5a3 3 0 0 1-4.3-4.3l6-6a2 2 0 0 1 2.9 2.9l-5.9 5.9a1 1 0 0 1-1.5-1.4l5-5",
  file: "M5 3h6l4 4v10H5zM11 3v4h4",
  play: "M7 5l8 5-8 5z",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 20 20", class: `icon icon-${name}`, "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
