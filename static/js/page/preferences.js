// What the user has chosen, kept on this device. Without storage the page forgets it, and works.

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
  const kept = parsed(read(localStorage, KEY));
  const known = Object.keys(DEFAULTS).filter((name) => typeof kept[name] === typeof DEFAULTS[name]);
  return { ...DEFAULTS, ...Object.fromEntries(known.map((name) => [name, kept[name]])) };
}

export function savePreferences(preferences) {
  write(localStorage, KEY, JSON.stringify(preferences));
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

export function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

/** Keep a value; null removes it. */
export function write(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // full, or forbidden
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
