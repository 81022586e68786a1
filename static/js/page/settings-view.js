// The drawer of settings. A choice takes effect with the next reply.

import { closeBeside } from "./dialogs.js";
import { $, h, iconButton } from "./dom.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

export function settingsView(store, actions) {
  const dialog = $("settings");
  closeBeside(dialog);
  dialog.addEventListener("close", () => actions.saveSystem(dialog.querySelector("#system")?.value ?? ""));
  // Drawn when it is opened, and when its data comes late; never while somebody uses it.
  const draw = () => dialog.replaceChildren(...content(store, actions, () => dialog.close()));
  store.show((state, before) => {
    if (dialog.open && changed(state, before, "models", "signedIn")) draw();
  });
  return () => {
    draw();
    dialog.showModal();
  };
}

function content(store, actions, close) {
  const { state } = store;
  const set = (name) => (value) => actions.prefer({ [name]: value });
  return [
    h("header.sheet-head", {}, h("h2", { id: "settings-title" }, strings.settings), iconButton("close", strings.close, close)),
    h("div.sheet-body", {},
      group(strings.modelGroup, providerField(state, set("provider")), modelField(state, set("model")), systemField(state),
        h("div.two", {}, numberField("temperature", strings.temperature, state, set("temperature"), { min: 0, max: 2, step: 0.1 }), numberField("max-tokens", strings.maxTokens, state, set("maxTokens"), { min: 1, max: 10_000_000, step: 1 }, "maxTokens"))),
      group(strings.delivery, transportField(state, set("transport")), toggle("streaming", strings.streamingName, state.preferences.streaming, set("streaming")), toggle("reasoning", strings.thinkingName, state.preferences.reasoning, set("reasoning"))),
      group(strings.look, themeField(state, set("theme"))),
      group(strings.data, h("button.button.danger", { type: "button", id: "delete-all", onclick: actions.deleteAll }, strings.deleteAll)),
      state.signedIn ? group(strings.account, h("button.button", { type: "button", id: "sign-out", onclick: actions.signOut }, strings.signOut)) : null,
    ),
  ];
}

function group(title, ...fields) {
  return h("section.group", { "aria-label": title }, h("h3", {}, title), ...fields);
}

function field(id, label, control, help, more = null) {
  const described = help ? { "aria-describedby": `${id}-help` } : {};
  for (const [name, value] of Object.entries({ id, ...described })) control.setAttribute(name, value);
  return h("div.field", {}, h("label", { htmlFor: id }, label), control, more, help ? h("small", { id: `${id}-help` }, help) : null);
}

function select(options, chosen, onchange) {
  const made = h("select", { onchange: () => onchange(made.value) }, ...options.map(([value, text, disabled]) => h("option", { value, disabled, selected: value === chosen }, text)));
  return made;
}

function providerField({ models, preferences }, onchange) {
  const of = ({ name, ready, missing }) => [name, ready ? name : strings.needs(name, missing), !ready];
  const options = [["", strings.serverDefault(models?.default)], ...(models?.providers ?? []).map(of)];
  return field("provider", strings.provider, select(options, preferences.provider, onchange));
}

function modelField({ models, preferences }, onchange) {
  const provider = preferences.provider || models?.default;
  const chosen = models?.providers.find((one) => one.name === provider);
  const usual = chosen?.model;
  const listed = (chosen?.models ?? []).map((value) => h("option", { value }));
  const control = h("input", { type: "text", value: preferences.model, placeholder: usual ?? strings.byDefault, spellcheck: false, autocomplete: "off", oninput: () => onchange(control.value.trim()) });
  control.setAttribute("list", "listed-models");
  return field("model", strings.modelName, control, null, h("datalist", { id: "listed-models" }, ...listed));
}

function systemField({ session, systemDraft }) {
  return field("system", strings.system, h("textarea", { rows: 4, dir: "auto", value: session ? session.system ?? "" : systemDraft }), strings.systemHelp);
}

function numberField(id, label, { preferences }, onchange, limits, name = id) {
  const control = h("input", { type: "number", inputMode: "decimal", value: preferences[name], placeholder: strings.byDefault, ...limits, oninput: () => control.validity.valid && onchange(control.value) });
  return field(id, label, control);
}

function transportField({ preferences }, onchange) {
  const { sse, socket } = strings.transports;
  return field("transport", strings.transportName, select([["sse", sse], ["socket", socket]], preferences.transport, onchange));
}

function toggle(id, label, checked, onchange) {
  const box = h("input", { type: "checkbox", id, checked, role: "switch", onchange: () => onchange(box.checked) });
  return h("label.toggle", { htmlFor: id }, h("span", {}, label), box);
}

function themeField({ preferences }, onchange) {
  const one = ([value, text]) => h("label", {}, h("input", { type: "radio", name: "theme", value, checked: preferences.theme === value, onchange: () => onchange(value) }), h("span", {}, text));
  return h("div.segments", { role: "radiogroup", "aria-label": strings.theme }, ...Object.entries(strings.themes).map(one));
}
