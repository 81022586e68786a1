// News from the other tabs of this browser (the list changed, signed in or out), and from the server
// about the conversation that is shown: a reply that another tab or device starts is shown here, too.

const CHANNEL = "tandem";

/** Return { tell(kind) }; `on(kind)` is called with what the other tabs tell. */
export function otherTabs(on) {
  if (typeof BroadcastChannel !== "function") return { tell() {} };
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", ({ data }) => on(data));
  return { tell: (kind) => channel.postMessage(kind) };
}

/**
 * Watch the conversation that is shown. A browser opens six connections to a server, for all tabs: a
 * hidden tab without a reply under way closes its own, and reads again when it is shown.
 */
export class Watcher {
  #client;
  #store;
  #conversation;
  #watch = null;
  #sessionId = null;
  #wasHidden = document.hidden;

  constructor(client, store, conversation) {
    this.#client = client;
    this.#store = store;
    this.#conversation = conversation;
    store.show(() => this.#update());
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  #seen() {
    if (!document.hidden && this.#wasHidden) this.#conversation.refresh();
    this.#wasHidden = document.hidden;
    this.#update();
  }

  #update() {
    const { session, sessionId, live, login } = this.#store.state;
    const stored = session?.session_id === sessionId;
    const wanted = stored && !login && (!document.hidden || live) ? sessionId : null;
    if (wanted === this.#sessionId) return;
    this.#watch?.close();
    this.#sessionId = wanted;
    this.#watch = wanted ? this.#client.watchSession(wanted) : null;
    if (this.#watch) this.#listen(this.#watch);
  }

  async #listen(watch) {
    try {
      for await (const event of watch) {
        if (watch !== this.#watch) return;
        if (!this.#conversation.follows(event.runId)) await this.#conversation.refresh();
      }
    } catch {
      // deleted, or given up: the next look at the conversation says so
      if (watch === this.#watch) this.#watch = null;
    }
  }
}
