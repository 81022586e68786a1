// Asks for an access token. What was shown stays, and goes on afterwards.

import { $, h } from "./dom.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

const WORDS = { wrong: strings.tokenWrong, expired: strings.tokenExpired, empty: strings.tokenEmpty };

/** `signIn(token, remember)` resolves to null, "wrong" or "expired", or rejects with its error. */
export function loginView(store, signIn) {
  const dialog = $("login");
  // Told later than it closes: by then it may be open again.
  dialog.addEventListener("close", () => dialog.open || store.set({ login: null }));
  store.show((state, before) => {
    if (!changed(state, before, "login")) return;
    if (!state.login) {
      if (dialog.open) dialog.close();
    } else if (!dialog.open) {
      dialog.replaceChildren(form(state.login, signIn, () => dialog.close()));
      dialog.showModal();
    }
  });
}

function form(reason, signIn, close) {
  const error = h("p.field-error", { id: "login-error", role: "alert" }, WORDS[reason] ?? "");
  const token = h("input", { type: "password", id: "token", autocomplete: "off", spellcheck: false, autofocus: true, "aria-describedby": "login-error" });
  const remember = h("input", { type: "checkbox", id: "remember" });
  const submit = h("button.button.primary", { type: "submit" }, strings.signIn);
  const made = h("form", { noValidate: true },
    h("h2", { id: "login-title" }, strings.signIn),
    h("p", {}, strings.signInText),
    h("div.field", {}, h("label", { htmlFor: "token" }, strings.token), token, error),
    h("label.toggle.plain", { htmlFor: "remember" }, remember, h("span", {}, strings.remember)),
    h("div.dialog-buttons", {}, h("button.button", { type: "button", onclick: close }, strings.cancel), submit),
  );
  made.onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    error.textContent = await answerTo(token.value.trim(), remember.checked, signIn);
    submit.disabled = false;
    token.toggleAttribute("aria-invalid", error.textContent !== "");
    if (error.textContent) token.select();
  };
  return made;
}

async function answerTo(token, remember, signIn) {
  if (!token) return WORDS.empty;
  try {
    return WORDS[await signIn(token, remember)] ?? "";
  } catch (error) {
    return error.message;
  }
}
