// What a key means where text is written.

/**
 * Whether an input method has the key: Enter takes what is being composed, Esc drops it. Safari ends
 * the composition before the key is told, and leaves 229 as its mark (UI Events, `keyCode` of keydown).
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

const touch = matchMedia("(pointer: coarse)");

/** Whether the keyboard is likely to be one on the screen, which has no Shift + Enter. */
export const onScreen = () => touch.matches;

/** Call `draw` when that changes. */
export const onScreenChange = (draw) => touch.addEventListener("change", draw);

/** Whether the key sends what is written. */
export function sends(event) {
  if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return false;
  return !onScreen() || event.ctrlKey || event.metaKey;
}
