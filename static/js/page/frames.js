// When to draw: with the next animation frame, or by a timer in a hidden tab, which has no frames.

const HIDDEN_MS = 200;
const LATEST_MS = 400; // a frame may be long in coming to a window that is covered

export function nextFrame(draw) {
  let drawn = false;
  const once = () => {
    if (drawn) return;
    drawn = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    draw();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, document.hidden ? HIDDEN_MS : LATEST_MS);
}
