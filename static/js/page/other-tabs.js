// News from the other tabs of this browser (the list changed, signed in or out), and from the server:
// a reply that another tab or device starts is shown here too, what it deletes is gone here.

const CHANNEL = "tandem";
const AGAIN_MS = 30_000; // what was refused may be granted another time
const RETRY = { firstMs: 300, mostMs: 30_000 };

/** Return { tell(kind) }; `on(kind)` is called with what the other tabs tell. */
export function otherTabs(on) {
  if (typeof BroadcastChannel !== "function") return { tell() {} };
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", ({ data }) => on(data));
  return { tell: (kind) => channel.postMessage(kind) };
}

/**
 * Watches all conversations, for as long as the tab is shown or has a reply under way: when no tab is,
 * the connection that they share is closed. What a hidden tab missed it reads when it is shown.
 */
export class Watcher {
  #client;
  #store;
  #conversation;
  #list;
  #onError;
  #onBack;
  #watch = null;
  #again = null;
  #wasHidden = document.hidden;

  /** `onBack()` is called when a connection that was cut is there again. */
  constructor(client, store, { conversation, list, authRequired, onError, onBack }) {
    this.#client = client;
    this.#store = store;
    this.#conversation = conversation;
    this.#list = list;
    this.#onError = onError;
    this.#onBack = onBack;
    store.show(({ login, signedIn, live }) => this.#update(!login && (signedIn || !authRequired), live));
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  #seen() {
    if (!document.hidden && this.#wasHidden) this.#conversation.refresh();
    this.#wasHidden = document.hidden;
    this.#store.set({}); // looked at again
  }

  #update(allowed, live) {
    const wanted = allowed && !this.#again && (!document.hidden || live);
    if (Boolean(wanted) === Boolean(this.#watch)) return;
    this.#watch?.close();
    this.#watch = wanted ? this.#client.watchAll({ retry: RETRY }) : null;
    if (this.#watch) this.#listen(this.#watch);
  }

  async #listen(watch) {
    try {
      for await (const event of watch) {
        if (watch !== this.#watch) return;
        await this.#take(event);
      }
    } catch (error) {
      if (watch !== this.#watch) return;
      this.#watch = null;
      this.#again = setTimeout(() => {
        this.#again = null;
        this.#store.set({});
      }, AGAIN_MS);
      this.#onError(error);
    }
  }

  async #take({ type, sessionId, runId }) {
    if (type === "reconnected") this.#onBack();
    else if (type === "session_deleted") {
      if (this.#list.deletedElsewhere(sessionId)) this.#conversation.deleted(sessionId);
    } else if (sessionId === this.#store.state.sessionId && !this.#conversation.follows(runId)) {
      await this.#conversation.refresh();
    }
  }
}
