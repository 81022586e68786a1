// One message: its text, its state, and its buttons.

import { callsOf, sourcesOf } from "./blocks.js";
import { h, iconButton, setText } from "./dom.js";
import { fileEditor } from "./file-editor.js";
import { FilesView } from "./file-view.js";
import { ageOf, count, dateOf, money } from "./formats.js";
import { icon } from "./icons.js";
import { isComposing, sends } from "./keys.js";
import { ReplyBlocks } from "./reply-blocks.js";
import { filesIn, shownBlocks } from "./state.js";
import { strings } from "./strings.js";

const CUT = new Set(["stopped", "failed", "interrupted"]);
const COPIED_MS = 1500;

export class MessageView {
  element;
  #blocks = null; // of a reply
  #body = null; // the text of what is mine
  #files = null; // and what goes with it
  #edited = null; // the same, while it is edited
  #thoughts = null;
  #state = h("p.reply-state", { hidden: true });
  #tail = h("div.tail");
  #actions; // what the buttons do
  #drawn = null;

  constructor(message, actions) {
    this.#actions = actions;
    const isReply = message.role === "assistant";
    const who = isReply ? strings.assistant : strings.you;
    // What a program has said: the results of its tools, or a prompt of its own.
    const hidden = !isReply && message.role !== "user";
    this.element = h(`li.message.${isReply ? "reply" : "mine"}`, { hidden }, h("h2.visually-hidden", {}, who));
    if (isReply) {
      this.#blocks = new ReplyBlocks(this.#state, { answer: (action, answer) => actions.answer(this.#drawn.message, action, answer), files: actions.files });
      this.element.append(this.#state);
    } else {
      this.#files = new FilesView(actions.files);
      this.element.append(this.#files.element, (this.#body = h("div.text", { dir: "auto" })));
    }
    this.element.append(this.#tail);
  }

  /** Draw the message; `live` if it is the reply under way; `around` is { busy, fixed, last, editing, offline }. */
  update(message, live, around) {
    const asks = waits(message, around) && !around.busy;
    this.#blocks?.update(live ? live.blocks : shownBlocks(message), { live: Boolean(live), asks });
    // Not over a translation.
    if (this.#body && message.content !== this.#drawn?.message.content) setText(this.#body, message.content);
    if (message !== this.#drawn?.message) this.#files?.update(filesIn(message));
    this.#drawLive(live, around.offline);
    if (message.id) this.element.dataset.id = message.id;
    const now = { message, live: Boolean(live), busy: around.busy, fixed: around.fixed, last: around.last, editing: around.editing };
    if (this.#drawn && Object.keys(now).every((name) => now[name] === this.#drawn[name])) return;
    const goesOn = now.editing && this.#drawn?.editing && message.id === this.#drawn.message.id;
    this.#drawn = now;
    if (goesOn) return; // what was written in it stays
    this.#drawTail(message, live, around);
  }

  /** Draw the age of a reply that is awaited. */
  tick(live, offline) {
    this.#drawState(live, offline);
    this.#blocks?.tick();
  }

  /** Take it away, for good. */
  remove() {
    this.element.remove();
    this.#blocks?.release();
    this.#files?.release();
    this.#edited?.release();
  }

  focusEdit() {
    this.element.querySelector("textarea")?.focus();
  }

  #drawLive(live, offline) {
    this.element.classList.toggle("streaming", live?.phase === "streaming");
    this.element.setAttribute("aria-busy", String(Boolean(live)));
    this.#state.hidden = !live;
    if (live) this.#drawState(live, offline);
    if (live?.thoughts) this.#drawThoughts(live.thoughts);
  }

  #drawState(live, offline) {
    const waits = offline && live.phase !== "streaming";
    this.#state.dataset.phase = waits ? "offline" : live.phase;
    setText(this.#state, waits ? strings.waitingForNetwork : stateOf(live));
  }

  #drawThoughts(thoughts) {
    if (!this.#thoughts) {
      this.#thoughts = h("p", { dir: "auto" });
      this.element.firstChild.after(h("details.thoughts", {}, h("summary", {}, strings.thinking), this.#thoughts));
    }
    setText(this.#thoughts, thoughts);
  }

  #drawTail(message, live, around) {
    const focused = this.#tail.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    const files = filesIn(message);
    if (this.#body) this.#body.hidden = around.editing || (files.length > 0 && !message.content);
    if (this.#files) this.#files.element.hidden = around.editing || files.length === 0;
    this.#edited?.release();
    this.#edited = null;
    this.#tail.replaceChildren();
    if (around.editing) this.#tail.append(this.#editor(message));
    else if (!live) this.#tail.append(...[this.#sources(message), this.#notice(message, around), this.#tools(message, around)].filter(Boolean));
    if (focused) this.#tail.querySelector(`[data-act="${focused}"]`)?.focus();
  }

  #sources(message) {
    const sources = message.role === "assistant" ? sourcesOf(shownBlocks(message)) : [];
    if (!sources.length) return null;
    const chip = ({ url, title }) => h("li", {}, h("a.source", { href: url, title: url, target: "_blank", rel: "noopener noreferrer", dir: "auto" }, title));
    return h("ul.sources", { "aria-label": strings.sourcesOf }, ...sources.map(chip));
  }

  #notice(message, around) {
    const { last, busy } = around;
    const said = waits(message, around) ? waitingFor(message) : noticeOf(message);
    const fitted = message.leftOut?.length ? h("p", {}, strings.leftOut(message.leftOut)) : null;
    if (!said && !fitted) return null;
    const button = (label, onclick, name) => h("button.small-button", { type: "button", onclick, disabled: busy }, icon(name), label);
    const again = message.status === "lost" && button(strings.refresh, () => this.#actions.refresh(), "again");
    const more = CUT.has(message.status) && last && message.run_id && button(strings.continue, () => this.#actions.continue(message), "play");
    const id = message.error?.errorId && h("span.error-id", {}, strings.errorId(message.error.errorId));
    const upstream = message.error?.upstream && h("p.upstream", {}, message.error.upstream);
    return h(`div.notice.${message.status}`, {}, said && h("p", {}, said, id ? " " : null, id), fitted, upstream, again, more);
  }

  #tools(message, { busy, fixed }) {
    const mine = message.role === "user";
    const copy = iconButton("copy", strings.copy, () => this.#copy(message.content, copy), { "data-act": "copy" });
    const change = mine
      ? iconButton("edit", strings.edit, () => this.#actions.edit(message), { "data-act": "edit" })
      : iconButton("again", strings.regenerate, () => this.#actions.regenerate(message), { "data-act": "again" });
    change.disabled = busy || message.id === null;
    const isText = message.content || !filesIn(message).length;
    return h("div.tools", {}, this.#versions(message, fixed), isText ? copy : null, change, h("span.facts", { title: dateOf(message.timestamp) }, factsOf(message)));
  }

  #versions({ id, siblings }, fixed) {
    const at = siblings.indexOf(id);
    if (siblings.length < 2 || at < 0) return null;
    const turn = (name, label, to) => iconButton(name, label, () => this.#actions.choose(siblings[to]), { disabled: fixed || !siblings[to], "data-act": name });
    const label = h("span.version", { "aria-label": strings.versionLabel(at + 1, siblings.length), role: "img" }, strings.version(at + 1, siblings.length));
    return h("span.versions", {}, turn("previous", strings.earlier, at - 1), label, turn("next", strings.later, at + 1));
  }

  #editor(message) {
    const field = h("textarea", { value: message.content, dir: "auto", "aria-label": strings.editLabel, rows: Math.min(12, message.content.split("\n").length + 1) });
    const files = (this.#edited = fileEditor(filesIn(message), this.#actions.files));
    const save = () => (field.value.trim() || files.kept.length) && this.#actions.saveEdit(this.#drawn.message, field.value, files.kept);
    field.onkeydown = (event) => {
      if (isComposing(event)) return;
      if (event.key === "Escape") {
        event.stopPropagation();
        this.#actions.cancelEdit(message);
      } else if (sends(event)) {
        event.preventDefault();
        save();
      }
    };
    const buttons = h("div.editor-buttons", {}, h("button.small-button", { type: "button", onclick: () => this.#actions.cancelEdit(message) }, strings.cancel), h("button.small-button.primary", { type: "button", onclick: save }, strings.editSend));
    return h("div.editor", {}, files.element, field, buttons);
  }

  async #copy(text, button) {
    const copied = await this.#actions.copy(text);
    if (!copied) return;
    button.replaceChildren(icon("check"));
    button.setAttribute("aria-label", strings.copied);
    setTimeout(() => {
      button.replaceChildren(icon("copy"));
      button.setAttribute("aria-label", strings.copy);
    }, COPIED_MS);
  }
}

function stateOf(live) {
  if (live.stopping) return strings.stopping;
  const age = ageOf((Date.now() - live.since) / 1000);
  if (live.whole) return strings.whole(age);
  if (live.phase === "connecting") return strings.connecting;
  if (live.phase === "streaming") return strings.streaming;
  if (live.phase === "calling") return strings.calling(live.work.names);
  if (live.phase === "tool") return strings.running(live.work.names, age);
  if (live.phase === "reconnecting") return strings.reconnecting(live.attempt);
  if (live.phase === "thinking") return strings.thinkingFor(age);
  if (live.phase === "retrying") return strings.retrying(live.provider);
  return strings.waiting(age);
}

/** Whether a reply waits for something: what was written after it has answered that. */
function waits({ status }, { last }) {
  return status === "requires_action" && last;
}

function waitingFor(message) {
  const kinds = new Set(callsOf(shownBlocks(message)).map(({ action }) => action?.kind));
  if (kinds.has("approval")) return strings.needsApproval;
  return kinds.has("question") ? strings.needsAnswer : strings.needsResult;
}

function noticeOf({ status, error, finishReason }) {
  if (status === "failed") return error?.text ?? strings.failed;
  if (["stopped", "interrupted", "lost"].includes(status)) return strings[status];
  if (finishReason === "length") return strings.length;
  return finishReason === "content_filter" ? strings.filtered : null;
}

function factsOf({ role, usage, cost }) {
  if (role !== "assistant" || !usage) return "";
  const tokens = `${usage.source === "estimated" ? "≈ " : ""}${count(usage.output_tokens)} tokens`;
  return cost ? `${tokens} · ${money(cost)}` : tokens;
}
