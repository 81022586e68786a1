// What the browser keeps for the page. Where it is forbidden (naming `localStorage` throws then) or
// full, things are kept for as long as the page is shown.

const meanwhile = new Map();

const nameOf = (area, key) => `${area} ${key}`;

/** Return what is kept; `area` is "localStorage" or "sessionStorage". */
export function read(area, key) {
  const name = nameOf(area, key);
  if (meanwhile.has(name)) return meanwhile.get(name);
  try {
    return globalThis[area].getItem(key);
  } catch {
    return null;
  }
}

/** Keep a value; null removes it. */
export function write(area, key, value) {
  const name = nameOf(area, key);
  meanwhile.delete(name);
  try {
    if (value === null) globalThis[area].removeItem(key);
    else globalThis[area].setItem(key, value);
  } catch {
    meanwhile.set(name, value);
  }
}
