// What the user has chosen, kept on this device.

import { read, write } from "./storage.js";

const KEY = "tandem.preferences";
const DEFAULTS = {
  provider: "",
  model: "",
  temperature: "",
  maxTokens: "",
  transport: "sse",
  streaming: true,
  reasoning: false,
  theme: "system",
  panel: false,
  tools: [], // names of those that replies may use
};

export function loadPreferences() {
  const kept = parsed(read("localStorage", KEY));
  const known = Object.keys(DEFAULTS).filter((name) => isLike(kept[name], DEFAULTS[name]));
  return { ...DEFAULTS, ...Object.fromEntries(known.map((name) => [name, kept[name]])) };
}

function isLike(value, usual) {
  if (!Array.isArray(usual)) return typeof value === typeof usual;
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** The tools that are chosen, of those that the server offers; all that are chosen if these are not known. */
export function chosenTools({ tools }, offered) {
  return offered ? offered.map(({ name }) => name).filter((name) => tools.includes(name)) : tools;
}

export function savePreferences(preferences) {
  write("localStorage", KEY, JSON.stringify(preferences));
}

/** Show the theme that was chosen: the stylesheet does the rest. */
export function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

/** The fields of a request that the preferences ask for; `offered` are the server's tools. */
export function requestOptions(preferences, offered) {
  const { provider, model, temperature, maxTokens, transport, streaming, reasoning } = preferences;
  const tools = chosenTools(preferences, offered);
  return {
    provider: provider || undefined,
    model: model || undefined,
    temperature: temperature === "" ? undefined : Number(temperature),
    maxTokens: maxTokens === "" ? undefined : Number(maxTokens),
    reasoning: reasoning || undefined,
    tools: tools.length ? tools : undefined,
    transport,
    enableStreaming: streaming,
  };
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
