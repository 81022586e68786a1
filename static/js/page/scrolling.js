// Scrolls along with a growing text while the reader is at its end, and not after they scroll up.

import { $ } from "./dom.js";
import { changed } from "./store.js";

const NEAR = 64; // pixels from the end that count as being there
const UP_KEYS = new Set(["ArrowUp", "PageUp", "Home"]);

export function scrolling(store) {
  const scroller = $("scroller");
  const button = $("to-end");
  let along = true;

  const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
  const toEnd = () => { scroller.scrollTop = scroller.scrollHeight; };
  const setAlong = (value) => {
    along = value;
    button.hidden = value;
  };
  const stay = () => scroller.scrollHeight > scroller.clientHeight && setAlong(false);

  scroller.addEventListener("scroll", () => { if (atEnd() !== along && (!along || !growing())) setAlong(atEnd()); }, { passive: true });
  scroller.addEventListener("wheel", (event) => event.deltaY < 0 && stay(), { passive: true });
  scroller.addEventListener("touchmove", () => !atEnd() && stay(), { passive: true });
  scroller.addEventListener("keydown", (event) => UP_KEYS.has(event.key) && event.target === scroller && stay());
  button.addEventListener("click", () => {
    setAlong(true);
    toEnd();
    scroller.focus({ preventScroll: true });
  });
  // Whatever makes the text or the window another size: pieces, a keyboard, a turned phone.
  const sizes = new ResizeObserver(() => along && toEnd());
  sizes.observe($("messages"));
  sizes.observe(scroller);
  store.show((state, before) => {
    const opened = changed(state, before, "sessionId") || (before.loading && !state.loading);
    const sent = before && state.messages.length > before.messages.length && state.live && !before.live;
    if (opened || sent) setAlong(true);
    if (along) toEnd();
  });

  // A scroll event that the page's own scrolling or a growing text has caused is not the reader's.
  let seen = 0;
  function growing() {
    const grew = scroller.scrollHeight > seen && scroller.scrollTop >= last;
    seen = scroller.scrollHeight;
    last = scroller.scrollTop;
    return grew;
  }
  let last = 0;
}
