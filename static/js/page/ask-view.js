// What a person is to decide: whether a call may be run, or what a tool is to be answered.

import { h } from "./dom.js";
import { dateOf } from "./formats.js";
import { formOf } from "./question-form.js";
import { strings } from "./strings.js";

const MOST_REASON = 2000; // as the server has it
const ADDRESS = /(https?:\/\/[^\s<>"]+)/;
let made = 0;

/** Return the element; `answer({ approved, reason?, answer? })` resolves to why that failed, or null. */
export function askView(action, answer) {
  made += 1;
  const id = `ask-${made}`;
  const question = action.kind === "question";
  const problem = h("p.field-error", { role: "alert" });
  const form = question && action.schema ? formOf(action.schema, id) : null;
  const reason = question ? null : h("input", { id: `${id}-reason`, type: "text", maxLength: MOST_REASON, autocomplete: "off", dir: "auto" });
  const fields = h("fieldset.ask-fields", { "aria-labelledby": id });

  let giving = false; // not disabled meanwhile: what is loses the focus

  async function give(approved) {
    if (giving) return;
    const said = { approved };
    if (approved && form) {
      if (!form.valid()) return;
      said.answer = form.value();
    }
    if (reason?.value.trim()) said.reason = reason.value.trim();
    giving = true;
    fields.setAttribute("aria-busy", "true");
    problem.textContent = (await answer(said)) ?? "";
    fields.removeAttribute("aria-busy");
    giving = false;
  }

  const button = (label, approved, kind = "") => h(`button.small-button${kind}`, { type: "button", onclick: () => give(approved) }, label);
  const yes = question ? (form ? strings.answerSend : strings.answerYes) : strings.allow;
  const cannot = question && action.schema && !form;
  fields.append(
    h("p.ask-what", { id, dir: "auto" }, ...(question ? linked(action.message ?? "") : [strings.askApproval(action.name)])),
    ...[
      cannot && h("p.call-note", {}, strings.cannotAsk),
      form?.element,
      reason && h("div.field", {}, h("label", { htmlFor: reason.id }, strings.reason), reason),
      h("div.ask-buttons", {}, cannot ? null : button(yes, true, ".primary"), button(question ? strings.decline : strings.deny, false)),
      h("p.call-note", {}, strings.expires(dateOf(action.expires_at * 1000))),
    ].filter(Boolean),
    problem,
  );
  return h("div.ask", {}, fields);
}

/** Addresses of the web in a text are links; a tool may ask to have one opened. */
function linked(text) {
  return text.split(ADDRESS).map((part, at) => (at % 2 ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part));
}
