// The tabs that the leading one serves, and what each of them wants: its links.

import { toPlain } from "./plain-error.js";

/** @import { Link, LinkFrame, Post, SharedFrame } from "./messages.js" */

/**
 * @typedef {object} Served
 * @property {boolean} open Its frames come.
 * @property {boolean} done Nothing comes any more.
 */

/** @typedef {Link & Served} ServedLink */

/** @typedef {{ post: Post, links: Map<string, ServedLink> }} Tab */

export class Tabs {
  number = 0; // of the connection, so that a tab can say which it distrusts
  /** @type {Map<string, Tab>} */
  #tabs = new Map();

  /**
   * Take all that a tab wants; what it wanted before, and does not now, is forgotten.
   * @param {string} from
   * @param {Link[]} links
   * @param {Post} post
   */
  want(from, links, post) {
    const had = this.#tabs.get(from)?.links;
    /** @param {Link} link */
    const served = (link) => had?.get(link.id) ?? { ...link, open: false, done: false };
    if (links.length === 0) this.#tabs.delete(from);
    else this.#tabs.set(from, { post, links: new Map(links.map((one) => [one.id, served(one)])) });
    post({ type: "heard" });
  }

  /** All links that anything is to be brought to. */
  get links() {
    const all = [...this.#tabs.values()].flatMap(({ links }) => [...links.values()]);
    return all.filter((link) => !link.done);
  }

  /** @param {boolean} ping Whether the server's heartbeat came. */
  alive(ping) {
    for (const { post } of this.#tabs.values()) post({ type: "alive", ping, number: this.number });
  }

  /**
   * Bring each link the frames that it gets of what has come.
   * @param {(link: ServedLink) => SharedFrame[]} framesOf
   */
  bring(framesOf) {
    for (const { links, post } of this.#tabs.values()) {
      /** @type {LinkFrame[]} */
      const frames = [];
      for (const link of links.values()) {
        if (!link.done) for (const frame of framesOf(link)) frames.push([link.id, frame]);
      }
      if (frames.length) post({ type: "frames", number: this.number, frames });
    }
  }

  /**
   * @param {ServedLink[]} failed
   * @param {unknown} error
   */
  fail(failed, error) {
    for (const link of failed) link.done = true;
    for (const { links, post } of this.#tabs.values()) {
      const ids = failed.filter(({ id }) => links.has(id)).map(({ id }) => id);
      if (ids.length) post({ type: "failed", links: ids, error: toPlain(error) });
    }
  }

  clear() {
    this.#tabs.clear();
  }
}
