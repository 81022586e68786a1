// The list of conversations: pages, search, rename, delete, export.

const PAGE = 40;

export class SessionList {
  #client;
  #store;
  #onError;
  #tell; // other tabs
  #asked = 0;

  constructor(client, store, { onError, tell }) {
    this.#client = client;
    this.#store = store;
    this.#onError = onError;
    this.#tell = tell;
  }

  /** Read as much of the list as is on show. */
  async refresh() {
    const { sessions, search } = this.#store.state;
    const limit = Math.min(200, Math.max(PAGE, sessions.length));
    await this.#read({ limit, search }, (page) => page.sessions);
  }

  async search(search) {
    this.#store.set({ search, listing: "loading" });
    await this.#read({ limit: PAGE, search }, (page) => page.sessions);
  }

  async more() {
    const { next, search, listing } = this.#store.state;
    if (!next || listing === "loading") return;
    this.#store.set({ listing: "loading" });
    await this.#read({ limit: PAGE, search, before: next }, (page) => joined(this.#store.state.sessions, page.sessions));
  }

  async rename(sessionId, title) {
    await this.#change(() => this.#client.sessions.update(sessionId, { title }));
    const { session } = this.#store.state;
    if (session?.session_id === sessionId) this.#store.set({ session: { ...session, title } });
  }

  /** Keep a system prompt of a conversation's own. */
  async setSystem(sessionId, system) {
    const session = await this.#change(() => this.#client.sessions.update(sessionId, { system }));
    if (session && this.#store.state.sessionId === sessionId) this.#store.set({ session });
  }

  /** True if it was deleted. */
  async delete(sessionId) {
    return Boolean(await this.#change(() => this.#client.sessions.delete(sessionId)));
  }

  async deleteAll() {
    return Boolean(await this.#change(() => this.#client.sessions.deleteAll()));
  }

  /** Have the browser save it as a file. */
  async export(sessionId, format) {
    const file = await this.#try(() => this.#client.sessions.export(sessionId, format));
    if (!file) return;
    const url = URL.createObjectURL(new Blob([file.text], { type: file.type ?? "text/plain" }));
    const link = document.createElement("a");
    Object.assign(link, { href: url, download: file.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  async #change(change) {
    const answer = await this.#try(change);
    await this.refresh();
    this.#tell();
    return answer;
  }

  async #try(call) {
    try {
      return await call();
    } catch (error) {
      if (!this.#onError(error)) this.#store.set({ problem: { text: error.message, errorId: error.errorId } });
      return null;
    }
  }

  async #read(asked, sessionsOf) {
    this.#asked += 1;
    const mine = this.#asked;
    try {
      const page = await this.#client.sessions.page(asked);
      if (mine === this.#asked) this.#store.set({ sessions: sessionsOf(page), next: page.next, listing: "ready" });
    } catch (error) {
      if (mine !== this.#asked) return;
      this.#store.set({ listing: "failed" });
      this.#onError(error);
    }
  }
}

function joined(sessions, more) {
  const known = new Set(sessions.map((one) => one.session_id));
  return [...sessions, ...more.filter((one) => !known.has(one.session_id))];
}
