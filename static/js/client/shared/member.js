// A tab among those that share a connection: it says what it wants to the leader, which may be
// itself, and says it again to each new leader, with how far it has come. A leader that does not
// answer is not there: then this tab leads.

import { randomId } from "../random-id.js";
import { Hub } from "./hub.js";
import { Leadership } from "./leadership.js";
import { fromPlain } from "./plain-error.js";

/** @import { FrameQueue } from "../frame-queue.js" */
/** @import { Http } from "../http.js" */
/** @import { Answer, Demanded, Link, LinkFrame, SharedFrame, Signed } from "./messages.js" */

/** @typedef {FrameQueue<SharedFrame>} Queue */

const ANSWER_MS = 2000;

export class Member {
  #id = randomId();
  #http;
  #name;
  /** @type {Map<string, Link & { queue: Queue }>} */
  #links = new Map();
  #number = 0; // of the connection that brought last
  /** @type {Hub | null} */
  #hub = null;
  /** @type {Leadership | null} */
  #leadership = null;
  /** @type {BroadcastChannel | null} */
  #inbox = null;
  /** @type {Map<string, BroadcastChannel>} */
  #outboxes = new Map(); // to other tabs, by their ids
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unanswered;
  #left = false;

  /**
   * @param {Http} http
   * @param {string} name What the tabs that share have in common.
   */
  constructor(http, name) {
    this.#http = http;
    this.#name = name;
    if (typeof BroadcastChannel === "function") this.#join();
    else this.#hub = new Hub(http);
  }

  /**
   * Have a link's frames put into the queue.
   * @param {Omit<Link, "id">} wanted
   * @param {Queue} queue
   * @returns {string} The link's id.
   */
  add(wanted, queue) {
    const id = randomId();
    this.#links.set(id, { ...wanted, id, queue });
    this.#demand();
    return id;
  }

  /**
   * @param {string} id
   * @param {boolean} distrusts Whether it brought nothing for too long.
   */
  remove(id, distrusts) {
    this.#links.delete(id);
    this.#demand(distrusts ? this.#number : null);
  }

  /** Want nothing any more; lead no more. */
  leave() {
    this.#left = true;
    const leader = this.#leadership?.leader?.id;
    const nothing = { links: [], distrusts: null };
    if (leader && !this.#hub) this.#post(leader, { type: "demand", from: this.#id, ...nothing });
    clearTimeout(this.#unanswered);
    this.#leadership?.leave();
    this.#hub?.close();
    this.#hub = null;
    for (const channel of [this.#inbox, ...this.#outboxes.values()]) channel?.close();
  }

  /**
   * Fail all links.
   * @param {unknown} error
   */
  fail(error) {
    for (const { queue } of this.#links.values()) queue.fail(error);
  }

  #join() {
    this.#inbox = new BroadcastChannel(this.#inboxOf(this.#id));
    this.#inbox.onmessage = ({ data }) => this.#receive(data);
    this.#leadership = new Leadership(this.#name, this.#id, () => this.#led());
  }

  #led() {
    const leads = this.#leadership?.leads;
    if (!leads) {
      this.#hub?.close();
      this.#hub = null;
    }
    if (leads) this.#hub ??= new Hub(this.#http);
    if (this.#links.size > 0) this.#demand();
  }

  /** @param {number | null} [distrusts] */
  #demand(distrusts = null) {
    if (this.#left) return;
    const links = [...this.#links.values()].map(({ queue, ...link }) => link);
    const to = this.#leadership?.leader?.id;
    clearTimeout(this.#unanswered);
    if (this.#hub) {
      this.#hub?.demand(this.#id, { links, distrusts }, (answer) => this.#take(answer));
      return;
    }
    if (to) this.#post(to, { type: "demand", from: this.#id, links, distrusts });
    // Nobody leads yet, or perhaps no more.
    if (links.length > 0) {
      this.#unanswered = setTimeout(() => this.#leadership?.claim(), ANSWER_MS);
    }
  }

  /** @param {Demanded | Signed} message */
  #receive(message) {
    if (message.type === "demand") {
      this.#obey(message);
      return;
    }
    const { id, term } = this.#leadership?.leader ?? {};
    const { leader } = message;
    if (leader?.id === id && leader?.term === term) this.#take(message); // else of one before
  }

  /** @param {Demanded} demanded */
  #obey({ from, ...demand }) {
    const leader = this.#leadership?.leader ?? null;
    this.#hub?.demand(from, demand, (answer) => this.#post(from, { ...answer, leader }));
    if (demand.links.length > 0) return;
    this.#outboxes.get(from)?.close();
    this.#outboxes.delete(from);
  }

  /** @param {Answer} answer */
  #take(answer) {
    if (answer.type === "heard") clearTimeout(this.#unanswered);
    else if (answer.type === "failed") {
      for (const id of answer.links) this.#links.get(id)?.queue.fail(fromPlain(answer.error));
    } else {
      this.#number = answer.number;
      if (answer.type === "frames") for (const frame of answer.frames) this.#bring(frame);
      else this.#alive(answer.ping);
    }
  }

  /** @param {boolean} ping */
  #alive(ping) {
    for (const { queue } of this.#links.values()) queue.push({ kind: "alive", ping });
  }

  /** @param {LinkFrame} linkFrame */
  #bring([id, frame]) {
    const link = this.#links.get(id);
    if (!link) return;
    if (frame.kind === "event") link.after = frame.payload.seq ?? link.after;
    link.queue.push(frame);
  }

  /**
   * @param {string} to
   * @param {Demanded | Signed} message
   */
  #post(to, message) {
    const channel = this.#outboxes.get(to) ?? new BroadcastChannel(this.#inboxOf(to));
    this.#outboxes.set(to, channel);
    channel.postMessage(message);
  }

  /** @param {string} id */
  #inboxOf(id) {
    return `${this.#name}:${id}`;
  }
}
