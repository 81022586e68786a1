// Whether the machine is offline. What the browser says of that is a hint: the server may be on the
// same machine, so it is asked.

/** Keep `offline` of the state; `onBack` is called when the browser says that it is online again. */
export function watchNetwork(client, store, onBack) {
  async function look() {
    if (navigator.onLine) return void store.set({ offline: false });
    const reached = await client.models().then(() => true, ({ code }) => code !== "network");
    store.set({ offline: !reached && !navigator.onLine });
  }
  addEventListener("offline", look);
  addEventListener("online", () => {
    store.set({ offline: false });
    onBack();
  });
  // A cut says more than the answer to the first look: that may have come just before it.
  const isCut = (state) => state?.live?.phase === "reconnecting";
  store.show((state, before) => isCut(state) && !isCut(before) && look());
  look();
  return look;
}
