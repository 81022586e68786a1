// Which of the tabs of one browser leads. They agree over a BroadcastChannel: a leader has a term,
// and the newest term holds, so that two that claim at once, or one that slept, end as one. That a
// leader is gone is told by its farewell or by its lock (locks are there in secure contexts only),
// or is found out by a tab that it does not answer.

const ANSWER_MS = 200; // how long to wait for a leader to say that it leads
const APART_MS = 50; // tabs that hear a farewell do not all claim at once

/** @typedef {{ id: string, term: number }} Leader */
/** @typedef {{ type: "who" | "leads" | "resigns", leader?: Leader | null }} Word */

export class Leadership {
  /** @type {Leader | null} */
  leader = null;
  #name;
  #id;
  #onChange;
  #channel;
  #term = 0; // the newest that was heard of
  #locks = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #leaving = new AbortController();

  /**
   * @param {string} name Of the channel and of the lock.
   * @param {string} id Of this tab.
   * @param {() => void} onChange Called when there is another leader.
   */
  constructor(name, id, onChange) {
    this.#name = name;
    this.#id = id;
    this.#onChange = onChange;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#take(data);
    this.#post({ type: "who" });
    const { locks } = globalThis.navigator ?? {};
    if (locks) this.#waitForLock(locks);
    else this.#claimUnlessAnswered();
  }

  get leads() {
    return this.leader?.id === this.#id;
  }

  /**
   * Lead from now on. A term is the time of the claim, which is newer than any this tab may not
   * have heard of.
   */
  claim(time = Date.now()) {
    const leader = { id: this.#id, term: Math.max(this.#term + 1, time) };
    this.#post({ type: "leads", leader });
    this.#follow(leader);
  }

  leave() {
    if (this.leads) this.#post({ type: "resigns", leader: this.leader });
    clearTimeout(this.#timer);
    this.#leaving.abort();
    this.#channel.close();
  }

  /** @param {Word} word */
  #take({ type, leader }) {
    if (type === "who") this.#answer();
    else if (!leader) return;
    else if (type === "leads") this.#heard(leader);
    else if (this.leader?.id === leader.id) {
      this.#follow(null);
      if (!this.#locks) this.#claimIn(Math.random() * APART_MS, Date.now());
    }
  }

  /** @param {Leader} leader */
  #heard(leader) {
    const known = this.leader;
    const isKnown = known?.id === leader.id && known.term === leader.term;
    if (isKnown) return;
    if (known && !isNewer(leader, known)) this.#answer();
    else this.#follow(leader);
  }

  #answer() {
    if (this.leads) this.#post({ type: "leads", leader: this.leader });
  }

  /** @param {Leader | null} leader */
  #follow(leader) {
    this.leader = leader;
    this.#term = Math.max(this.#term, leader?.term ?? 0);
    this.#onChange();
  }

  /** A leader that is slow to answer stays one: this claim is older than its own. */
  #claimUnlessAnswered() {
    this.#claimIn(ANSWER_MS, 0);
  }

  /**
   * @param {number} ms
   * @param {number} time
   */
  #claimIn(ms, time) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.leader ?? this.claim(time), ms);
  }

  /**
   * Lead when the lock is free, which is when the tab that had it is gone; hold it to the end.
   * @param {LockManager} locks
   */
  #waitForLock(locks) {
    const { signal } = this.#leaving;
    const held = () => new Promise((resolve) => {
      if (!this.leads) this.claim();
      signal.addEventListener("abort", () => resolve(undefined));
    });
    this.#locks = true;
    locks.request(this.#name, { signal }, held).catch(() => {
      this.#locks = false; // forbidden, or this tab has left
      if (!signal.aborted) this.#claimUnlessAnswered();
    });
  }

  /** @param {Word} word */
  #post(word) {
    this.#channel.postMessage(word);
  }
}

/**
 * @param {Leader} one
 * @param {Leader} other
 */
function isNewer(one, other) {
  return one.term === other.term ? one.id < other.id : one.term > other.term;
}
