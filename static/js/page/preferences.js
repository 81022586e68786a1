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
};

export function loadPreferences() {
  const kept = parsed(read("localStorage", KEY));
  const known = Object.keys(DEFAULTS).filter((name) => typeof kept[name] === typeof DEFAULTS[name]);
  return { ...DEFAULTS, ...Object.fromEntries(known.map((name) => [name, kept[name]])) };
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

/** The fields of a request that the preferences ask for. */
export function requestOptions({ provider, model, temperature, maxTokens, transport, streaming, reasoning }) {
  return {
    provider: provider || undefined,
    model: model || undefined,
    temperature: temperature === "" ? undefined : Number(temperature),
    maxTokens: maxTokens === "" ? undefined : Number(maxTokens),
    reasoning: reasoning || undefined,
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
