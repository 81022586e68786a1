// The live panel: what the newest reply is doing, in figures.

import { $, h } from "./dom.js";
import { count, duration, money, perSecond } from "./formats.js";
import { middleAndMost } from "./meter.js";
import { gapsPlot } from "./plot.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

export function panelView(store) {
  const panel = $("panel");
  store.show((state, before) => {
    if (changed(state, before, "panelOpen")) {
      panel.hidden = !state.panelOpen;
      $("panel-toggle").setAttribute("aria-expanded", String(state.panelOpen));
      document.body.classList.toggle("with-panel", state.panelOpen);
    }
    if (state.panelOpen && changed(state, before, "panelOpen", "meter", "usage")) draw(panel, state);
  });
}

function draw(panel, { meter, usage }) {
  const figures = meter ? replyFigures(meter) : [h("p.panel-note", {}, strings.noFigures)];
  const total = usage?.total.runs ? [h("h2", {}, strings.total), totals(usage.total)] : [];
  panel.replaceChildren(h("h2", {}, strings.figures), ...figures, ...total);
}

function replyFigures({ gaps, resumes, transport, ttftMs, speed, end }) {
  return [
    h("div.big-figures", {}, big(strings.firstPiece, ttftMs === null ? strings.unknown : duration(ttftMs)), big(strings.speed, speed ? strings.speedOf(perSecond(speed.value), speed.about) : strings.unknown)),
    plotFigure(gaps),
    rows([
      [strings.transport, strings.transports[transport]],
      [strings.resumes, strings.times(resumes)],
      [strings.model, end ? [end.provider, end.model].filter((one, at, all) => one && all.indexOf(one) === at).join(" · ") : strings.unknown],
      ...usageRows(end?.usage, end?.cost, end !== null),
    ]),
  ];
}

function plotFigure(gaps) {
  const { middle, most } = middleAndMost(gaps);
  const known = gaps.length > 1;
  const said = known ? strings.gapsNow(duration(middle), duration(most)) : strings.unknown;
  const label = known ? strings.gapsLabel(duration(middle), duration(most)) : strings.gaps;
  return h("figure.gaps", {}, gapsPlot(gaps, label), h("figcaption", {}, strings.gaps, h("span", {}, said)));
}

function usageRows(usage, cost, ended) {
  if (!usage) return [[strings.tokens, strings.unknown]];
  const tokens = strings.tokensOf(count(usage.input_tokens), count(usage.output_tokens));
  return [
    [strings.tokens, tokens, strings.sources[usage.source]],
    ...(ended ? [[strings.cost, cost ? strings.costs(money(cost), cost.estimated) : strings.noCost]] : []),
  ];
}

function totals(total) {
  return rows([[strings.replies, count(total.runs)], ...usageRows(total, total.cost, true)]);
}

function big(name, value) {
  return h("dl.big", {}, h("dt", {}, name), h("dd", {}, value));
}

function rows(entries) {
  return h("dl.rows", {}, ...entries.map(([name, value, note]) => h("div", {}, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null))));
}
