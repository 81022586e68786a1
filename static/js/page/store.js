// The state of the page. Views are drawn from it once in a frame, however often it changes.

import { nextFrame } from "./frames.js";

export function createStore(initial) {
  let state = initial;
  let shown = null;
  let planned = false;
  const views = [];
  const draw = () => {
    planned = false;
    const before = shown;
    shown = state;
    for (const view of views) view(state, before);
  };
  return {
    get state() {
      return state;
    },
    set(change) {
      state = { ...state, ...(typeof change === "function" ? change(state) : change) };
      if (planned) return;
      planned = true;
      nextFrame(draw);
    },
    /** Call `view(state, before)` with each state that is shown; `before` is null at first. */
    show(view) {
      views.push(view);
      view(state, null);
    },
    draw,
  };
}

/** Whether one of these has changed since `before`. */
export function changed(state, before, ...keys) {
  return before === null || keys.some((key) => state[key] !== before[key]);
}
