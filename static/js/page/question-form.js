// The form of a question whose answer is an object of plain values.

import { h } from "./dom.js";

const TYPES = { integer: "number", number: "number", string: "text" };
const FORMATS = { email: "email", date: "date", "date-time": "datetime-local", uri: "url" };

/** Return { element, valid(), value() }; null for a schema that is no such object. */
export function formOf(schema, id) {
  const properties = Object.entries(schema.properties ?? {});
  if (schema.type !== "object" || !properties.every(([, one]) => isPlain(one))) return null;
  const required = new Set(schema.required ?? []);
  const fields = properties.map(([name, one], at) => fieldOf(name, one, required.has(name), `${id}-${at}`));
  return {
    element: h("div.ask-form", {}, ...fields.map(({ element }) => element)),
    valid: () => fields.every(({ control }) => control.reportValidity()),
    value: () => Object.fromEntries(fields.flatMap(({ name, value }) => (value() === undefined ? [] : [[name, value()]]))),
  };
}

function isPlain(schema) {
  return schema !== null && typeof schema === "object" && (Object.hasOwn(TYPES, schema.type) || schema.type === "boolean" || choicesOf(schema) !== null);
}

/** Return the choices, as [value, title]; null where there are none. */
function choicesOf({ enum: values, enumNames: names, oneOf }) {
  if (Array.isArray(values)) return values.map((value, at) => [value, String(names?.[at] ?? value)]);
  const all = Array.isArray(oneOf) && oneOf.length > 0 && oneOf.every((one) => one && "const" in one);
  return all ? oneOf.map((one) => [one.const, String(one.title ?? one.const)]) : null;
}

function fieldOf(name, schema, required, id) {
  const label = h("label", { htmlFor: id }, schema.title ?? name);
  const help = schema.description ? h("small", { id: `${id}-help` }, schema.description) : null;
  const { control, value } = schema.type === "boolean" ? tick(schema) : choicesOf(schema) ? choice(schema, required) : input(schema);
  control.id = id;
  if (help) control.setAttribute("aria-describedby", help.id);
  if (schema.type === "boolean") return { name, control, value, element: h("div.ask-tick", {}, control, label, help) };
  control.required = required;
  return { name, control, value, element: h("div.field", {}, label, control, help) };
}

function tick(schema) {
  const control = h("input", { type: "checkbox", checked: schema.default === true });
  return { control, value: () => control.checked };
}

function choice(schema, required) {
  const choices = choicesOf(schema);
  const options = choices.map(([value, title], at) => h("option", { value: String(at), selected: value === schema.default }, title));
  const none = h("option", { value: "", selected: schema.default === undefined }, required ? "" : "–");
  const control = h("select", {}, none, ...options);
  return { control, value: () => (control.value === "" ? undefined : choices[control.value][0]) };
}

function input(schema) {
  const isNumber = TYPES[schema.type] === "number";
  const control = h("input", {
    type: isNumber ? "number" : FORMATS[schema.format] ?? "text",
    value: schema.default === undefined ? "" : String(schema.default),
    min: schema.minimum,
    max: schema.maximum,
    step: isNumber ? (schema.type === "integer" ? 1 : "any") : undefined,
    autocomplete: "off",
    dir: isNumber ? undefined : "auto",
  });
  // Set one by one: a limit of 0 is one, too.
  if (!isNumber && schema.minLength > 0) control.minLength = schema.minLength;
  if (!isNumber && schema.maxLength >= 0) control.maxLength = schema.maxLength;
  const text = () => (schema.format === "date-time" && control.value ? new Date(control.value).toISOString() : control.value);
  return { control, value: () => (control.value === "" ? undefined : isNumber ? Number(control.value) : text()) };
}
