// Numbers, ages and dates as people read them.

import { strings } from "./strings.js";

const [MINUTE, WEEK, YEAR] = [60, 604_800, 28_000_000];
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", MINUTE]];
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const years = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Return how long ago that was, in two or three letters; of more than a week, the date. */
export function ago(timestamp, now = Date.now()) {
  const seconds = (now - Date.parse(timestamp)) / 1000;
  const found = UNITS.find(([, size]) => seconds >= size);
  if (!found) return strings.now;
  if (seconds >= WEEK) return (seconds < YEAR ? days : years).format(new Date(timestamp));
  const [unit, size] = found;
  return new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "narrow" }).format(Math.floor(seconds / size));
}

export const dateOf = (timestamp) => dates.format(new Date(timestamp));
export const count = (number) => whole.format(number);

export function ageOf(seconds) {
  if (seconds < 1) return "";
  const rest = `${Math.floor(seconds % MINUTE)} s`;
  return seconds < MINUTE ? rest : `${Math.floor(seconds / MINUTE)} min ${rest}`;
}


export function duration(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

export function money({ amount, currency }) {
  const value = Number(amount);
  const style = { style: "currency", currency, maximumSignificantDigits: value && value < 0.1 ? 2 : undefined };
  return new Intl.NumberFormat(undefined, style).format(value);
}

export function sizeOf(bytes) {
  const [unit, size] = bytes < 1_000_000 ? ["kilobyte", 1000] : ["megabyte", 1_000_000];
  const style = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: bytes < 10 * size ? 1 : 0 };
  return new Intl.NumberFormat(undefined, style).format(Math.max(bytes, 100) / size);
}

/** What a picture or a file is called. */
export const nameOf = ({ type, name }) => name || (type === "image" ? strings.picture : strings.file);

export const perSecond = (value) => (value < 10 ? value.toFixed(1) : count(value));
