// Messages about the whole page: offline, a stream that is buffered, a problem, signed out.

import { $, h, iconButton } from "./dom.js";
import { changed } from "./store.js";
import { strings } from "./strings.js";

export function bannersView(store, { signIn, authRequired }) {
  store.show((state, before) => {
    const same = before && comes(state) === comes(before);
    if (same && !changed(state, before, "offline", "heldBack", "problem", "login", "signedIn")) return;
    const signedOut = authRequired && !state.signedIn && !state.login;
    $("banners").replaceChildren(
      ...[
        state.offline && !comes(state) && banner("calm", strings.offline),
        signedOut && banner("calm", strings.signInNeeded, h("button.small-button", { type: "button", onclick: signIn }, strings.signIn)),
        state.heldBack && banner("calm", strings.heldBack, dismiss(() => store.set({ heldBack: false }))),
        state.problem && banner("bad", said(state.problem), dismiss(() => store.set({ problem: null }))),
      ].filter(Boolean),
    );
  });
}

const comes = ({ live }) => live?.phase === "streaming";

function banner(kind, text, ...buttons) {
  return h(`div.banner.${kind}`, {}, h("p", {}, text), ...buttons);
}

function said({ text, errorId }) {
  return errorId ? `${text} ${strings.errorId(errorId)}` : text;
}

function dismiss(onclick) {
  return iconButton("close", strings.dismiss, onclick);
}
