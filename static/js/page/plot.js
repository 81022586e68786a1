// A small plot: a bar for each gap between two pieces, the newest at the right.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, BARS] = [240, 44, 60];

export function gapsPlot(gaps, label) {
  const shown = gaps.slice(-BARS);
  const most = Math.max(...shown, 1);
  const step = WIDTH / BARS;
  const start = WIDTH - shown.length * step;
  const bars = shown.map((gap, at) => bar(start + at * step, Math.max(1, (gap / most) * HEIGHT), step - 1));
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", role: "img", "aria-label": label, preserveAspectRatio: "none" });
  svg.append(element("path", { d: `M0 ${HEIGHT - 0.5}H${WIDTH}`, class: "plot-base" }), ...bars);
  return svg;
}

function bar(x, height, width) {
  return element("rect", { x, y: HEIGHT - height, width, height, class: "plot-bar" });
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
