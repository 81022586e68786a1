// A call of a tool: one quiet line that opens. What it was given and what it brought are drawn as text.

import { askView } from "./ask-view.js";
import { h, setText } from "./dom.js";
import { ageOf, duration } from "./formats.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

export class CallView {
  element = h("div.call");
  #actions;
  #call = null;
  #line = h("summary");
  #state = h("span.call-state");
  #time = h("span.call-time");
  #body = h("div.call-body");
  #details = h("details", {}, this.#line, this.#body);
  #ask = null; // { id, element }
  #openedFor = null; // what it was opened for by itself

  constructor({ name }, actions) {
    this.#actions = actions;
    this.#line.append(icon("tool"), h("span.call-name", {}, name), " ", this.#state, " ", this.#time);
    this.#line.onclick = () => { this.#openedFor = null; };
    this.#details.ontoggle = () => this.#drawBody();
    this.element.append(this.#details);
  }

  fits({ call }) {
    return call !== undefined && (this.#call === null || (call.call_id === this.#call.call_id && call.n === this.#call.n));
  }

  /** `asks`: whether what it waits for can be answered here. */
  update({ call }, { asks }) {
    const action = asks ? call.action ?? null : null;
    if (call !== this.#call) {
      this.#call = call;
      this.element.dataset.state = call.state;
      setText(this.#state, stateOf(call));
      this.tick();
      this.#drawBody();
    }
    this.#drawAsk(action?.approval_id ? action : null);
  }

  tick() {
    setText(this.#time, timeOf(this.#call));
  }

  /** What is to be decided is open to be read; it closes again by itself, unless the reader took over. */
  #drawAsk(action) {
    const id = action?.approval_id ?? null;
    if (id === (this.#ask?.id ?? null)) return;
    const focused = this.#ask?.element.contains(document.activeElement);
    this.#ask?.element.remove();
    this.#ask = action && { id, element: askView(action, (answer) => this.#actions.answer(action, answer)) };
    if (action) this.element.append(this.#ask.element);
    if (action && !this.#details.open) this.#open(id);
    else if (!action && this.#openedFor !== null) this.#open(null);
    if (focused) this.#line.focus({ preventScroll: true });
  }

  #open(id) {
    this.#openedFor = id;
    this.#details.open = id !== null;
    this.#drawBody();
  }

  /** Only what is open is drawn: results may be long. */
  #drawBody() {
    if (this.#details.open) this.#body.replaceChildren(...partsOf(this.#call));
    else this.#body.replaceChildren();
  }
}

function stateOf({ state, action, message }) {
  const asked = action?.kind === "question" || (state === "awaiting_approval" && message !== undefined);
  return strings.callStates[asked ? "asked" : state] ?? state;
}

function timeOf({ state, since, duration_s: s }) {
  if (state === "running") return since ? ageOf((Date.now() - since) / 1000) : "";
  return s === undefined ? "" : duration(s * 1000);
}

function partsOf({ input, invalid, output, error, reason, source, state, preliminary }) {
  return [
    source?.startsWith("mcp:") && h("p.call-note", {}, strings.callSource(source.slice(4))),
    part(strings.callArguments, invalid ?? input),
    part(preliminary ? strings.callProgress : strings.callResult, output),
    error && h("p.call-error", { dir: "auto" }, error),
    state === "denied" && reason && h("p.call-note", { dir: "auto" }, strings.callReason(reason)),
    strings.callNotes[state] && h("p.call-note", {}, strings.callNotes[state]),
  ].filter(Boolean);
}

function part(label, value) {
  if (value === undefined) return null;
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  // One that scrolls can be scrolled by keys too.
  return h("div.call-part", {}, h("p.call-label", {}, label), h("pre", { tabIndex: 0, role: "group", "aria-label": label, dir: "auto" }, text));
}
