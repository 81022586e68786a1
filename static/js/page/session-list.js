// The list of conversations: pages, search, rename, delete, export.

const PAGE = 40;
const MOST = 200; // of a page, as the server has it
const NEWS_MS = 5000; // the news of what is deleted here may come after the answer

export class SessionList {
  #client;
  #store;
  #onError;
  #tell; // other tabs
  #asked = 0;
  #deleting = new Set(); // what is deleted here: no news
  #reading = new AbortController();

  constructor(client, store, { onError, tell }) {
    this.#client = client;
    this.#store = store;
    this.#onError = onError;
    this.#tell = tell;
  }

  /** Read the newest of the list again; what is on show below them stays. */
  async refresh() {
    const { sessions, search } = this.#store.state;
    const limit = Math.min(MOST, Math.max(PAGE, sessions.length));
    await this.#read({ limit, search }, (page) => merged(page, this.#store.state));
  }

  async search(search) {
    this.#store.set({ search, listing: "loading" });
    await this.#read({ limit: PAGE, search }, (page) => page);
  }

  async more() {
    const { next, search, listing } = this.#store.state;
    if (!next || listing === "loading") return;
    this.#store.set({ listing: "loading" });
    await this.#read({ limit: PAGE, search, before: next }, (page) => ({ ...page, sessions: joined(this.#store.state.sessions, page.sessions) }));
  }

  async rename(sessionId, title) {
    const renamed = (one) => (one?.session_id === sessionId ? { ...one, title } : one);
    if (!(await this.#change(() => this.#client.sessions.update(sessionId, { title })))) return;
    this.#store.set(({ session, sessions }) => ({ session: renamed(session), sessions: sessions.map(renamed) }));
  }

  /** Keep a system prompt of a conversation's own. */
  async setSystem(sessionId, system) {
    const session = await this.#change(() => this.#client.sessions.update(sessionId, { system }));
    if (session && this.#store.state.sessionId === sessionId) this.#store.set({ session });
  }

  /** True if it was deleted. */
  delete(sessionId) {
    return this.#delete(sessionId, () => this.#client.sessions.delete(sessionId));
  }

  deleteAll() {
    return this.#delete(null, () => this.#client.sessions.deleteAll());
  }

  /** Take a conversation, with null all, off the list; false if it is deleted here, and known. */
  deletedElsewhere(sessionId) {
    if (this.#deleting.has(sessionId)) return false;
    this.#takeOff(sessionId);
    return true;
  }

  #takeOff(sessionId) {
    const isLeft = (one) => sessionId !== null && one.session_id !== sessionId;
    this.#store.set(({ sessions, next }) => ({ sessions: sessions.filter(isLeft), next: sessionId && next }));
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

  async #delete(sessionId, call) {
    this.#deleting.add(sessionId);
    try {
      const deleted = Boolean(await this.#try(call));
      if (deleted) this.#takeOff(sessionId);
      await this.refresh();
      this.#tell();
      return deleted;
    } finally {
      setTimeout(() => this.#deleting.delete(sessionId), NEWS_MS);
    }
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

  async #read(asked, shownOf) {
    this.#asked += 1;
    const mine = this.#asked;
    this.#reading.abort(); // else the server would look for what nobody wants any more
    const { signal } = (this.#reading = new AbortController());
    try {
      const page = await this.#client.sessions.page({ ...asked, signal });
      if (mine === this.#asked) this.#store.set({ ...shownOf(page), listing: "ready" });
    } catch (error) {
      if (mine !== this.#asked) return;
      this.#store.set({ listing: "failed" });
      this.#onError(error);
    }
  }
}

/** Put a page of the newest in place of those on show, as far as it reaches. */
function merged(page, { sessions, next }) {
  const last = page.sessions.at(-1);
  const below = page.next ? sessions.filter((one) => one.timestamp <= last.timestamp) : [];
  return { sessions: joined(page.sessions, below), next: below.length ? next : page.next };
}

function joined(sessions, more) {
  const known = new Set(sessions.map((one) => one.session_id));
  return [...sessions, ...more.filter((one) => !known.has(one.session_id))];
}
