// Where messages are written: Enter sends (on a phone the button does), Esc stops, the arrow up edits
// the last one. Sending waits for uploads that are under way.

import { $, setText } from "./dom.js";
import { keepDraft } from "./drafts.js";
import { icon } from "./icons.js";
import { isComposing, onScreen, onScreenChange, sends } from "./keys.js";
import { attachedTo, placeOf } from "./state.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

export function composerView(store, { send, cannotSend, say, stop, editLast, openSettings }) {
  const field = $("message");
  const submit = () => {
    const text = field.value;
    const { live, sessionId } = store.state;
    const items = attachedTo(store.state, sessionId);
    store.set({ sendWaits: null });
    if (live || (!text.trim() && !items.length)) return;
    const isWaiting = items.some(underWay);
    const hasFailed = items.some(({ state }) => state === "failed");
    if (hasFailed) cannotSend(strings.failedUpload);
    else if (isWaiting) {
      store.set({ sendWaits: placeOf(sessionId) });
      say(strings.sendWaits);
    } else send(text);
    field.focus({ preventScroll: true });
  };

  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("stop").addEventListener("click", stop);
  $("model-button").addEventListener("click", openSettings);
  field.addEventListener("input", () => {
    keepDraft(store.state.sessionId, field.value);
    resized(field);
    drawSend(store.state);
  });
  field.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    if (sends(event)) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && field.value === "" && !store.state.live) {
      if (editLast()) event.preventDefault();
    }
  });
  window.addEventListener("resize", () => resized(field));
  onScreenChange(drawKeys);
  drawKeys();

  store.show((state, before) => {
    if (changed(state, before, "draft")) {
      field.value = state.draft.text ?? "";
      resized(field);
    }
    if (changed(state, before, "live", "draft", "attached", "sessionId")) drawBusy(state);
    if (state.sendWaits !== null) sendIfDone(state);
    if (changed(state, before, "models", "preferences")) drawModel(state);
  });

  /** Send what waits for uploads, once they are done; not where the reader has gone elsewhere. */
  function sendIfDone({ sendWaits, sessionId, live }) {
    if (live || sendWaits !== placeOf(sessionId)) store.set({ sendWaits: null });
    if (sendWaits !== placeOf(sessionId)) return;
    if (live) cannotSend(strings.sendBusy);
    else if (!attachedTo(store.state, sessionId).some(underWay)) submit();
  }
}

const underWay = ({ state }) => state === "waiting" || state === "uploading";

/** What Enter does, said to the reader and to a keyboard on the screen. */
function drawKeys() {
  $("message").enterKeyHint = onScreen() ? "enter" : "send";
  setText($("keys"), onScreen() ? strings.keysOnScreen : strings.keys);
}

function drawBusy(state) {
  const [send, stop] = [$("send"), $("stop")];
  const busy = Boolean(state.live);
  const held = document.activeElement === (busy ? send : stop);
  send.hidden = busy;
  stop.hidden = !busy;
  stop.disabled = Boolean(state.live?.stopping);
  drawSend(state);
  if (held) $("message").focus({ preventScroll: true });
}

function drawSend({ live, ...state }) {
  const nothing = !$("message").value.trim() && !attachedTo(state, state.sessionId).length;
  $("send").disabled = Boolean(live) || nothing;
}

function drawModel({ models, preferences }) {
  const name = preferences.provider || models?.default || "";
  const model = preferences.model || models?.providers.find((one) => one.name === name)?.model || "";
  const shown = model && model !== name ? `${name} · ${model}` : name;
  const button = $("model-button");
  button.replaceChildren(icon("settings"), shown || strings.settings);
  button.setAttribute("aria-label", strings.chooseModel(shown));
}

/** Make the field as high as its text, up to the stylesheet's limit. */
function resized(field) {
  field.style.height = "auto";
  if (field.value) field.style.height = `${field.scrollHeight}px`;
}
