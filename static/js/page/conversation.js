// The conversation that is shown: opens it, sends, stops, and keeps it as the server has it.

import { randomId } from "../tandem-client.js";
import { blocksOf } from "./blocks.js";
import { addToDraft, draftOf, hasArrived, keepDraft, keepSent, sentOf } from "./drafts.js";
import { LiveReply, newLive } from "./live-reply.js";
import { requestOptions } from "./preferences.js";
import { Problems, refusalOf } from "./problems.js";
import { readDetails } from "./reply-details.js";
import { endOf, failureOf, saidBy } from "./reply-ends.js";
import { askedMessage, keptBefore, keyed, localMessage, namesOf, shownBlocks, withPending } from "./state.js";
import { strings } from "./strings.js";

const NOTHING = { text: "", files: [] };

export class Conversation {
  #client;
  #store;
  #attached; // to what is being written
  #problems;
  #onChange; // the list has news
  #say;
  #reply = null;
  #opened = 0; // what is read for a conversation that was left meanwhile is dropped
  #asked = 0; // and so is what was asked before something newer
  #over = null; // the run that was followed to its end

  constructor(client, store, { attached, onError, onChange, say }) {
    this.#client = client;
    this.#store = store;
    this.#attached = attached;
    this.#problems = new Problems(store, { onError, say });
    this.#onChange = onChange;
    this.#say = say;
  }

  /** Show a conversation, or with null a new one. */
  async open(sessionId) {
    this.#letGo();
    const blank = { messages: [], session: null, editing: null, problem: null, meter: null, usage: null, heldBack: false };
    this.#store.set({ ...blank, sessionId, systemDraft: "", loading: sessionId !== null, draft: { text: draftOf(sessionId) } });
    this.#attached.restore(sessionId);
    if (sessionId) await this.refresh();
  }

  /** Read it from the server, and follow the reply under way. Not to be called while one is followed. */
  async refresh() {
    const { sessionId, session, messages: shown, loading, live } = this.#store.state;
    const opened = this.#opened;
    const begun = session || loading || shown.length > 0; // else the server does not know it yet
    if (!sessionId || !begun || this.#reply || live) return;
    const asked = ++this.#asked;
    try {
      const [session, messages] = await Promise.all([this.#client.sessions.get(sessionId), this.#client.sessions.messages(sessionId)]);
      if (opened !== this.#opened || asked !== this.#asked || this.#reply) return;
      this.#store.set(({ messages: before }) => ({ session, messages: keyed(withPending(messages, session), before), loading: false }));
      this.#followActive(messages);
      this.#sendAgain(messages);
      await this.#readDetails(opened);
    } catch (error) {
      if (opened === this.#opened && !this.#reply) this.#notOpened(error);
    }
  }

  /** Send { text, files }; `edit` is the message it stands beside, `written` whether it is the composer's. */
  async send(said, { edit = null, written = false } = {}) {
    if (this.#store.state.live) return;
    const before = keptBefore(this.#store.state.messages, edit);
    const asked = askedMessage(said, edit ? { siblings: edit.siblings } : {});
    // What is not read yet has no id: then the message goes wherever the server is.
    const parentId = before.length ? (before.at(-1).id ?? undefined) : null;
    await this.#start(before, [asked], said, edit ? { edit: edit.id } : { parentId }, written);
  }

  /** Make another reply beside one. */
  async regenerate(message) {
    if (this.#store.state.live) return;
    await this.#start(keptBefore(this.#store.state.messages, message), [], NOTHING, { regenerate: message.id });
  }

  /** Carry on a reply that did not complete. */
  async continue(message) {
    const { sessionId, live, preferences } = this.#store.state;
    if (live) return;
    this.#store.set(({ messages }) => ({ messages: messages.map((one) => (one === message ? { ...one, status: "running", error: null } : one)) }));
    const reply = this.#client.continue(message.run_id, { sessionId, reasoning: preferences.reasoning });
    await this.#track(reply, newLive(message.key, { blocks: shownBlocks(message) }), { own: true, transport: "sse" });
  }

  /**
   * Answer what a reply waits for: { approved, reason?, answer? }. Returns why that failed, or null. The
   * first answer counts, wherever it was given; with the last one the reply goes on.
   */
  async answer(message, { approval_id: id }, answer) {
    const opened = this.#opened;
    try {
      const taken = await this.#client.tools.approve(message.run_id, id, answer);
      if (opened === this.#opened) await this.#answered(message, taken);
    } catch (error) {
      if (error.code === "not_found") await this.refresh();
      else if (!this.#problems.isTaken(error)) return refusalOf(error);
    }
    return null;
  }

  async #answered(message, { run_id: runId, status, seq: after }) {
    const { live, preferences: { transport, reasoning }, sessionId } = this.#store.state;
    if (live) return; // the news of it were faster
    if (status !== "running") return void (await this.refresh());
    const reply = this.#client.follow(runId, { sessionId, after, transport, reasoning });
    this.#track(reply, newLive(message.key, { blocks: shownBlocks(message), from: 0 }), { own: false, transport });
  }

  /** Stop the reply under way. */
  async stop() {
    if (!this.#reply || this.#store.state.live?.stopping) return;
    this.#store.set(({ live }) => ({ live: { ...live, stopping: true } }));
    await this.#reply.stop().catch(() => this.#store.set(({ live }) => ({ live: live && { ...live, stopping: false } })));
  }

  /** Use the branch that this message is on. */
  async chooseBranch(messageId) {
    const { sessionId, live } = this.#store.state;
    if (live) return;
    const asked = ++this.#asked;
    try {
      const messages = await this.#client.sessions.branch(sessionId, messageId);
      if (asked !== this.#asked) return void (await this.refresh()); // read while it changed: once more
      this.#store.set(({ messages: before, session }) => ({ messages: keyed(withPending(messages, session), before), editing: null }));
    } catch (error) {
      this.#problems.fail(error);
    }
  }

  /** Whether this run is the one that is followed here. */
  follows(runId) {
    const live = this.#store.state.live;
    return runId === this.#over || (Boolean(live) && (live.runId === null || live.runId === runId));
  }

  /** A conversation, with null each, was deleted elsewhere. */
  deleted(sessionId) {
    const shown = this.#store.state.sessionId;
    if (shown !== null && (sessionId === null || sessionId === shown)) this.#gone(strings.gone);
  }

  async #start(before, added, said, place, written = false) {
    const { sessionId: known, session, preferences, tools } = this.#store.state;
    const sessionId = known ?? randomId();
    const answer = localMessage("assistant", "");
    const options = { ...requestOptions(preferences, tools), ...place, ...namesOf(said), sessionId, sessionMustExist: Boolean(session) || undefined, idempotencyKey: randomId() };
    const live = newLive(answer.key, { whole: !preferences.streaming });
    this.#store.set({ sessionId, live, messages: [...before, ...added, answer], editing: null, problem: null, heldBack: false, ...(written && { draft: { text: "" } }) });
    keepSent(sessionId, { ...said, options, at: before.length });
    if (written) for (const id of [sessionId, known]) keepDraft(id, "");
    const opened = this.#opened;
    const made = await this.#createIfNeeded(sessionId);
    if (opened !== this.#opened) return;
    if (!made) return void this.#notStarted(null, said);
    this.#say(strings.saidSent);
    await this.#deliver(said, options, live);
  }

  #deliver(said, options, live) {
    const transport = options.enableStreaming ? options.transport : "whole";
    return this.#track(this.#client.send(said.text, options), live, { own: true, transport, said });
  }

  /** Send again, with its key, what was sent before a reload: if it did arrive, its run is joined. */
  #sendAgain(messages) {
    const { sessionId } = this.#store.state;
    const sent = sentOf(sessionId);
    if (!sent) return false;
    const arrived = hasArrived(sent, messages);
    if (arrived || this.#reply) {
      keepSent(sessionId, null);
      if (!arrived) this.#putBack(sent, strings.busy);
      return false;
    }
    const answer = localMessage("assistant", "");
    const added = sent.text || sent.files.length ? [askedMessage(sent), answer] : [answer];
    const live = newLive(answer.key, { whole: !sent.options.enableStreaming });
    this.#store.set((state) => ({ live, messages: [...state.messages.slice(0, sent.at), ...added] }));
    this.#deliver(sent, sent.options, live);
    return true;
  }

  /** A new chat's system prompt is kept before its first message; false if that failed. */
  async #createIfNeeded(sessionId) {
    const { session, systemDraft } = this.#store.state;
    if (session || !systemDraft) return true;
    try {
      this.#store.set({ session: await this.#client.sessions.create(sessionId, { system: systemDraft }) });
      return true;
    } catch (error) {
      this.#problems.fail(error);
      return false;
    }
  }

  async #track(reply, live, { own, transport, said = NOTHING }) {
    this.#reply = reply;
    this.#store.set({ live });
    const following = new LiveReply(this.#store, reply, { own, transport });
    const isMine = () => this.#reply === reply;
    try {
      await following.follow(() => isMine() && this.#started(own));
      if (!isMine()) return;
      if (following.meter.heldBack) this.#store.set({ heldBack: true });
      this.#settle(endOf(await reply.whole));
    } catch (error) {
      if (!isMine()) return;
      if (!error.runId || error.code === "session_busy") return void this.#notStarted(error, said);
      this.#settle(failureOf(error));
      this.#problems.isTaken(error);
    }
  }

  #started(own) {
    if (own) keepSent(this.#store.state.sessionId, null);
    this.#onChange();
  }

  /** The reply is over, or waits: what it has said becomes the message's, and the server says what it has kept. */
  #settle({ said, change }) {
    this.#say(said);
    this.#reply = null;
    if (!["lost", "requires_action"].includes(change.status)) this.#over = change.run_id;
    keepSent(this.#store.state.sessionId, null);
    this.#store.set(({ live, messages }) => ({
      live: null,
      messages: messages.map((one) => (one.key === live.key ? { ...one, ...change, ...saidBy(live, change.pending) } : one)),
    }));
    this.#onChange();
    if (change.status !== "lost") this.refresh();
  }

  /** Nothing was stored: what the message had goes back to where it was written. */
  #notStarted(error, said) {
    this.#reply = null;
    keepSent(this.#store.state.sessionId, null);
    this.#store.set(({ messages }) => ({ live: null, messages: messages.filter((one) => one.id !== null) }));
    this.#putBack(said, error?.code === "session_busy" ? strings.busy : null);
    if (error?.code === "session_gone") return void this.#gone(strings.gone);
    if (error?.code === "session_busy") return void this.refresh();
    if (error && !this.#problems.isTaken(error)) this.#problems.fail(error, strings.notSent);
    if (this.#store.state.session || error?.runId) this.refresh();
  }

  /** Put what was not sent before what is being written. */
  #putBack({ text, files }, problem) {
    const { sessionId } = this.#store.state;
    this.#attached.putBack(sessionId, files);
    if (text) this.#store.set({ draft: { text: addToDraft(sessionId, text) } });
    if (problem) this.#problems.tell(problem);
  }

  /** The conversation is not there any more; what was being written is kept for another one. */
  #gone(problem) {
    const { sessionId } = this.#store.state;
    addToDraft(null, draftOf(sessionId));
    keepDraft(sessionId, "");
    this.#attached.move(sessionId, null);
    this.open(null);
    this.#problems.tell(problem);
    this.#onChange();
  }

  #notOpened(error) {
    if (this.#problems.isTaken(error)) return; // it is still to be read
    this.#store.set({ loading: false });
    if (error.code !== "not_found") this.#problems.fail(error);
    else if (!this.#sendAgain([])) this.#gone(this.#store.state.session ? strings.gone : strings.notFound);
  }

  #followActive(messages) {
    const running = messages.find((message) => message.status === "running");
    if (!running) return;
    const { sessionId, preferences: { transport, reasoning } } = this.#store.state;
    const reply = this.#client.follow(running.run_id, { sessionId, transport, reasoning });
    const key = this.#store.state.messages.find((one) => one.id === running.id).key;
    this.#track(reply, newLive(key, { blocks: blocksOf(running) }), { own: false, transport });
  }

  async #readDetails(opened) {
    const last = this.#store.state.messages.at(-1);
    const { usage, error } = await readDetails(this.#client, this.#store.state.sessionId, last);
    if (opened !== this.#opened) return;
    const told = (one) => (error && one.id === last.id ? { ...one, error } : one);
    this.#store.set(({ messages }) => ({ usage, messages: messages.map(told) }));
  }

  #letGo() {
    this.#opened += 1;
    const reply = this.#reply;
    this.#reply = null;
    reply?.leave();
    this.#store.set({ live: null });
  }
}
