// The wait before another try: longer each time, with jitter. It ends early when a try is likely to
// succeed: the tab is shown again, or the machine is online again. That the browser says that it is
// offline ends nothing: a server on the same machine, or a network that it does not know, may be
// there (MDN, Navigator.onLine: "you should not disable features based on the online status").

/**
 * Return how long to wait before try `n` (0, 1, ...): full jitter, so that not all clients come at
 * once.
 * @param {number} n
 * @param {{ firstMs: number, mostMs: number }} retry
 */
export function backoffMs(n, { firstMs, mostMs }) {
  return Math.random() * Math.min(mostMs, firstMs * 2 ** n);
}

/** Return whether the browser says that it is offline: then tries that fail say nothing. */
export function isOffline() {
  return globalThis.navigator?.onLine === false;
}

/**
 * Wait. Rejects when aborted.
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @param {{ wakeable?: boolean }} [options] Whether the wait may be over early.
 * @returns {Promise<void>}
 */
export function pause(ms, signal, { wakeable = true } = {}) {
  return new Promise((resolve, reject) => {
    /** @type {(() => void)[]} */
    const off = [];
    const finish = () => {
      for (const remove of off) remove();
    };
    const wake = () => {
      finish();
      resolve();
    };
    const aborted = () => {
      finish();
      reject(signal?.reason);
    };
    if (signal?.aborted) {
      aborted();
      return;
    }
    off.push(on(signal, "abort", aborted));
    if (wakeable) {
      off.push(on(globalThis, "online", wake));
      off.push(on(globalThis.document, "visibilitychange", () => {
        if (globalThis.document.visibilityState === "visible") wake();
      }));
    }
    const timer = setTimeout(wake, ms);
    off.push(() => clearTimeout(timer));
  });
}

/**
 * Listen, where there is anything to listen to; return what ends it.
 * @param {Partial<EventTarget> | undefined} target
 * @param {string} name
 * @param {() => void} listener
 */
function on(target, name, listener) {
  if (!target?.addEventListener) return () => {}; // not in a page
  target.addEventListener(name, listener);
  return () => target.removeEventListener?.(name, listener);
}
