// What the leading tab does for all: it has one connection to the server that brings whatever they
// want, and hands each what is its own. When more is wanted than the connection brings, a new one
// takes its place, with cursors. The hub never tries again by itself: if its connection fails, all
// who depended on it fail, and want it again when they see fit.

import { parsed } from "../feeds.js";
import { TandemError } from "../tandem-error.js";
import { Connection } from "./connection.js";
import { Tabs } from "./tabs.js";

/** @import { Http } from "../http.js" */
/** @import { Alive } from "../transports/frames.js" */
/** @import { SseEvent } from "../transports/sse-parser.js" */
/** @import { Demand, Post, SharedFrame } from "./messages.js" */
/** @import { ServedLink } from "./tabs.js" */

const MOST_RUNS = 50; // of one connection, as the server has it
const RETIRE_MS = 1000; // news that an old connection was told may still be on their way
const ALIVE_MS = 1000; // how often tabs are told that the connection lives, between heartbeats
const MOST_ENDED = 200;

export class Hub {
  #http;
  #tabs = new Tabs();
  /** @type {Connection | null} */
  #connection = null;
  /** @type {Connection | null} */
  #opening = null;
  /** @type {Connection | null} */
  #retiring = null;
  /** @type {SseEvent[]} */
  #held = []; // come while another connection is opened, which brings them again
  /** @type {Map<string, SseEvent>} */
  #active = new Map(); // runs under way, by the news of their start
  /** @type {Set<string>} */
  #ended = new Set(); // runs whose end was told
  #toldAt = 0;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * Take all that a tab wants.
   * @param {string} from
   * @param {Demand} demand
   * @param {Post} post
   */
  demand(from, { links, distrusts }, post) {
    this.#tabs.want(from, links, post);
    if (this.#connection && distrusts === this.#tabs.number) this.#lose(new TandemError("network"));
    this.#adjust();
  }

  close() {
    this.#tabs.clear();
    for (const one of [this.#connection, this.#opening, this.#retiring]) one?.close();
    this.#connection = this.#opening = this.#retiring = null;
  }

  /** Have a connection that brings what is wanted, and none if that is nothing. */
  #adjust() {
    if (this.#opening) return; // looked at again when that is over
    const { links } = this.#tabs;
    if (links.length === 0) {
      this.#connection?.close();
      this.#connection = null;
    } else if (links.every((link) => this.#brings(link))) this.#serve();
    else this.#open(this.#wanted(links));
  }

  /**
   * Whether the connection that is open brings all of it.
   * @param {ServedLink} link
   */
  #brings({ runId, after, reasoning }) {
    if (!this.#connection) return false;
    if (runId === null) return true;
    const cursor = this.#connection.cursors.get(runId) ?? Infinity;
    return cursor <= after && (this.#connection.reasoning || !reasoning);
  }

  /** @param {ServedLink[]} links */
  #wanted(links) {
    /** @type {Map<string, number>} */
    const cursors = new Map();
    for (const { runId, after } of links) {
      if (runId === null || (!cursors.has(runId) && cursors.size === MOST_RUNS)) continue;
      cursors.set(runId, Math.min(after, cursors.get(runId) ?? Infinity));
    }
    const excess = links.filter(({ runId }) => runId !== null && !cursors.has(runId));
    this.#tabs.fail(excess, new TandemError("not_shared"));
    return new Connection(cursors, links.some(({ reasoning }) => reasoning));
  }

  /** @param {Connection} connection */
  async #open(connection) {
    this.#opening = connection;
    try {
      const events = await connection.open(this.#http);
      if (this.#opening === connection) this.#opened(connection, events);
    } catch (error) {
      if (this.#opening === connection) this.#notOpened(connection, error);
    }
  }

  /**
   * @param {Connection} connection
   * @param {AsyncGenerator<SseEvent | Alive>} events
   */
  #opened(connection, events) {
    this.#opening = null;
    this.#held = [];
    this.#retire();
    this.#connection = connection;
    this.#tabs.number += 1;
    this.#tellAlive(false);
    this.#serve();
    this.#read(connection, events);
    this.#adjust(); // to what was wanted meanwhile
  }

  #retire() {
    const old = this.#connection;
    this.#retiring?.close();
    this.#retiring = old;
    if (old) setTimeout(() => old.close(), RETIRE_MS);
  }

  /**
   * @param {Connection} connection
   * @param {unknown} error
   */
  #notOpened(connection, error) {
    this.#opening = null;
    connection.close();
    const refused = error instanceof TandemError ? error.runId : null;
    // The server names the run that it refuses: the others can do without it.
    const failed = this.#tabs.links.filter((link) => (
      refused === null ? !this.#connection || !link.open : link.runId === refused
    ));
    this.#tabs.fail(failed, error);
    if (this.#connection) for (const event of this.#held.splice(0)) this.#event(event);
    this.#adjust();
  }

  /**
   * @param {Connection} connection
   * @param {AsyncGenerator<SseEvent | Alive>} events
   */
  async #read(connection, events) {
    try {
      for await (const event of events) {
        if (connection.closed) return;
        this.#take(connection, event);
      }
      throw new TandemError("network"); // such a stream does not end by itself
    } catch (error) {
      if (this.#connection === connection) this.#lose(error);
    }
  }

  /**
   * The connection is gone, and what it would have brought.
   * @param {unknown} error
   */
  #lose(error) {
    this.#connection?.close();
    this.#connection = null;
    this.#active.clear();
    this.#held = [];
    this.#tabs.fail(this.#tabs.links.filter((link) => link.open), error);
  }

  /** Begin to bring what the connection has of what was wanted since. */
  #serve() {
    this.#tabs.bring((link) => {
      if (link.open || !this.#brings(link)) return [];
      link.open = true;
      const { runId } = link;
      const news = runId === null ? [...this.#active.values()].map(asFrame) : [];
      return [{ kind: "open", runId, sessionId: null }, ...news];
    });
    for (const [runId, seq] of this.#connection?.ends ?? []) this.#seen(runId, seq);
  }

  /**
   * @param {Connection} connection
   * @param {SseEvent | Alive} event
   */
  #take(connection, event) {
    const isCurrent = connection === this.#connection;
    if ("kind" in event) {
      if (isCurrent) this.#alive(event.ping === true);
    } else if (event.type !== "message") this.#news(connection, event);
    else if (!isCurrent) return; // another has taken its place
    else if (this.#opening) this.#held.push(event);
    else this.#event(event);
  }

  /** @param {boolean} ping */
  #alive(ping) {
    if (ping || Date.now() - this.#toldAt >= ALIVE_MS) this.#tellAlive(ping);
  }

  /** @param {boolean} ping */
  #tellAlive(ping) {
    this.#toldAt = Date.now();
    this.#tabs.alive(ping);
  }

  /** @param {SseEvent} event One of a run's. */
  #event({ data }) {
    const payload = parsed(data);
    const { run_id: runId, seq } = payload;
    const ended = payload.done || payload.error !== undefined || payload.requires_action;
    if (seq !== undefined) this.#connection?.cursors.set(runId, seq);
    if (ended) this.#connection?.ends.set(runId, seq);
    this.#tabs.bring((link) => {
      if (link.runId !== runId || !link.open || seq <= link.after) return [];
      link.after = seq ?? link.after;
      if (payload.reasoning !== undefined && !link.reasoning) return [];
      if (ended) link.done = true;
      return [{ kind: "event", payload }];
    });
    if (payload.requires_action) this.#connection?.forget(runId);
  }

  /**
   * @param {Connection} connection
   * @param {SseEvent} event
   */
  #news(connection, event) {
    const { run_id: runId, seq } = parsed(event.data);
    // The connection before may have told it.
    if (event.type === "run_started") {
      if (this.#active.has(runId) || this.#ended.has(runId)) return;
      this.#active.set(runId, event);
    } else if (event.type === "run_waiting") { // it may go on, and is followed anew then
      const cursor = connection.cursors.get(runId) ?? Infinity;
      if (cursor < seq) connection.ends.set(runId, seq); // else the event has come, or never will
      this.#seen(runId, seq);
      if (cursor >= seq) connection.forget(runId);
      this.#active.delete(runId);
    } else if (event.type === "run_ended") {
      if (connection.cursors.has(runId)) connection.ends.set(runId, seq);
      this.#seen(runId, seq);
      if (this.#ended.has(runId)) return;
      this.#active.delete(runId);
      this.#ended.add(runId);
      if (this.#ended.size > MOST_ENDED) this.#ended.delete([...this.#ended][0]);
    }
    this.#tabs.bring((link) => (link.runId === null && link.open ? [asFrame(event)] : []));
  }

  /**
   * A run has ended with this entry: tell those that have seen all of it.
   * @param {string} runId
   * @param {number} seq
   */
  #seen(runId, seq) {
    this.#tabs.bring((link) => {
      if (link.runId !== runId || !link.open || link.after < seq) return [];
      link.done = true;
      return [{ kind: "gone" }];
    });
  }
}

/**
 * @param {SseEvent} event
 * @returns {SharedFrame}
 */
function asFrame({ type, data }) {
  return { kind: "news", type, data };
}
