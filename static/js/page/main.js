// The page: builds the client, the state and the views, and connects them.

import { TandemClient } from "../tandem-client.js";
import { accessToken, forgetToken, hasExpired, keepToken } from "./access-token.js";
import { attachInputs } from "./attach-inputs.js";
import { attachedView } from "./attached-view.js";
import { Attachments } from "./attachments.js";
import { bannersView } from "./banners-view.js";
import { composerView } from "./composer-view.js";
import { Conversation } from "./conversation.js";
import { copyText } from "./copy.js";
import { confirm } from "./dialogs.js";
import { $, fillTemplate, setText } from "./dom.js";
import { frameView } from "./frame-view.js";
import { listView } from "./list-view.js";
import { loginView } from "./login-view.js";
import { messagesView } from "./messages-view.js";
import { watchNetwork } from "./network.js";
import { otherTabs, Watcher } from "./other-tabs.js";
import { panelView } from "./panel-view.js";
import { pictureDialog } from "./picture-dialog.js";
import { Pictures } from "./pictures.js";
import { applyTheme, loadPreferences, savePreferences } from "./preferences.js";
import { scrolling } from "./scrolling.js";
import { SessionList } from "./session-list.js";
import { settingsView } from "./settings-view.js";
import { initialState } from "./state.js";
import { createStore } from "./store.js";
import { strings } from "./strings.js";
import { toolsView } from "./tools-view.js";

const { auth, heartbeatS } = document.body.dataset;
const authRequired = auth === "required";

fillTemplate();
const store = createStore({ ...initialState(loadPreferences()), signedIn: accessToken() !== null });
const client = new TandemClient({
  getToken: accessToken,
  share: true, // one connection for all tabs
  chunkTimeout: Math.max(10_000, Number(heartbeatS) * 2500), // two heartbeats, and some
  retry: { firstMs: 300, mostMs: 5000, times: 60 },
});
const say = (text) => setText($("status"), text);
const tabs = otherTabs((kind) => (kind === "list" ? list.refresh() : location.reload()));
const list = new SessionList(client, store, { onError, tell: () => tabs.tell("list") });
const pictures = new Pictures(client);
const attached = new Attachments(client, store, { pictures, say, onError });
const conversation = new Conversation(client, store, { attached, onError, say, onChange: listChanged });

function listChanged() {
  list.refresh();
  tabs.tell("list");
}

/** If a token would help, ask for one. */
function onError(error) {
  if (error.code !== "unauthorized") return false;
  const token = accessToken();
  store.set({ login: token === null ? "needed" : hasExpired(token) ? "expired" : "wrong" });
  return true;
}

async function signIn(token, remember) {
  keepToken(token, remember);
  client.close(); // who the socket is was said when it connected
  try {
    await client.sessions.page({ limit: 1 });
  } catch (error) {
    forgetToken();
    store.set({ signedIn: false });
    if (error.code !== "unauthorized") throw error;
    return hasExpired(token) ? "expired" : "wrong";
  }
  store.set({ signedIn: true, login: null });
  catchUp();
  return null;
}

function signOut() {
  forgetToken();
  client.close();
  tabs.tell("signed out");
  location.replace("/");
}

// The address names the conversation: it can be reloaded, bookmarked, opened in another tab.
const urlOf = (sessionId) => (sessionId ? `#/c/${encodeURIComponent(sessionId)}` : location.pathname);
function sessionInUrl() {
  const found = /^#\/c\/(.+)$/.exec(location.hash);
  try {
    return found ? decodeURIComponent(found[1]) : null;
  } catch {
    return found[1]; // no id of a conversation: the server has none by that name
  }
}

function openFromUrl() {
  store.set({ sidebarOpen: false });
  const sessionId = sessionInUrl();
  if (sessionId !== store.state.sessionId) conversation.open(sessionId);
}

function newChat() {
  history.pushState(null, "", urlOf(null));
  store.set({ sidebarOpen: false });
  conversation.open(null);
  store.draw();
  backToComposer();
}

async function deleteSession(sessionId, title) {
  const asked = { title: strings.deleteTitle, text: strings.deleteText(title), action: strings.delete };
  if (!(await confirm(asked)) || !(await list.delete(sessionId))) return;
  say(strings.deleted);
  if (store.state.sessionId === sessionId) newChat();
  else $("new-chat").focus();
}

async function deleteAll() {
  const asked = { title: strings.deleteAllTitle, text: strings.deleteAllText, action: strings.deleteAll };
  if (!(await confirm(asked)) || !(await list.deleteAll())) return;
  say(strings.deleted);
  $("settings").close();
  newChat();
}

function prefer(change) {
  const preferences = { ...store.state.preferences, ...change };
  store.set({ preferences });
  savePreferences(preferences);
  applyTheme(preferences.theme);
}

function saveSystem(system) {
  const { session, sessionId, systemDraft } = store.state;
  if (!session) store.set({ systemDraft: system.trim() ? system : "" });
  else if (system !== (session.system ?? "")) list.setSystem(sessionId, system);
  return systemDraft;
}

function startEdit(message) {
  if (!message || store.state.live) return false;
  store.set({ editing: message.key });
  return true;
}

// A keyboard on the screen comes only when the user asks for it.
const backToComposer = () => !matchMedia("(pointer: coarse)").matches && $("message").focus({ preventScroll: true });
const lastOfMine = () => store.state.messages.findLast((one) => one.role === "user" && one.id !== null);
const openSettings = settingsView(store, { prefer, saveSystem, deleteAll, signOut });

const fileFailed = (error) => onError(error) || store.set({ problem: { text: error.message, errorId: error.errorId } });
const tellOfFiles = (text) => {
  attached.note(text);
  say(text);
};

messagesView(store, {
  files: { pictures, open: pictureDialog(pictures, fileFailed), fail: fileFailed },
  copy: copyText,
  edit: startEdit,
  cancelEdit: () => {
    store.set({ editing: null });
    backToComposer();
  },
  saveEdit: (message, text, files) => {
    conversation.send({ text, files }, { edit: message });
    backToComposer();
  },
  regenerate: (message) => conversation.regenerate(message),
  continue: (message) => conversation.continue(message),
  refresh: () => conversation.refresh(),
  answer: (message, action, answer) => conversation.answer(message, action, answer),
  choose: (messageId) => conversation.chooseBranch(messageId),
});
composerView(store, {
  send: (text) => conversation.send({ text, files: attached.take() }, { written: true }),
  cannotSend: tellOfFiles,
  say,
  stop: () => conversation.stop(),
  editLast: () => startEdit(lastOfMine()),
  openSettings,
});
attachedView(store, {
  pictures,
  retry: (key) => attached.retry(key),
  remove: (key) => attached.remove(key),
  dontWait: () => {
    store.set({ sendWaits: null });
    backToComposer();
  },
});
attachInputs({ add: (files) => attached.add(files), tell: tellOfFiles });
listView(store, {
  search: (text) => list.search(text),
  more: () => list.more(),
  retry: () => list.refresh(),
  startRename: (renaming) => store.set({ renaming }),
  endRename: (sessionId, title) => {
    store.set({ renaming: null });
    if (title) list.rename(sessionId, title);
  },
  export: (sessionId, format) => list.export(sessionId, format),
  delete: deleteSession,
});
toolsView(store, { prefer, read: readTools });
frameView(store, { newChat, stop: () => conversation.stop() });
bannersView(store, { authRequired, signIn: () => store.set({ login: "needed" }) });
panelView(store);
loginView(store, signIn);
scrolling(store);
function catchUp() {
  if (authRequired && !accessToken()) return; // the answer is known
  load();
  conversation.refresh();
}

const lookOffline = watchNetwork(client, store, catchUp);
new Watcher(client, store, {
  conversation,
  list,
  authRequired,
  onError,
  onBack: () => {
    lookOffline();
    list.refresh();
    conversation.refresh();
  },
});

$("open-settings").addEventListener("click", openSettings);
$("panel-toggle").addEventListener("click", () => {
  const panel = !store.state.panelOpen;
  store.set({ panelOpen: panel });
  prefer({ panel });
});
addEventListener("hashchange", openFromUrl);
addEventListener("popstate", openFromUrl);

store.show((state, before) => {
  if (before === null || state.sessionId === before.sessionId || state.sessionId === sessionInUrl()) return;
  if (state.sessionId) history.pushState(null, "", urlOf(state.sessionId));
  else history.replaceState(null, "", urlOf(null));
});

/** Read the list and the models: at the start, after signing in, when the network is back. */
function load() {
  list.refresh();
  client.models().then((models) => store.set({ models }), onError);
  readTools();
}

function readTools() {
  client.tools.list().then((tools) => store.set({ tools }), onError);
}

await conversation.open(authRequired && !accessToken() ? null : sessionInUrl());
if (authRequired && !accessToken()) store.set({ login: "needed", listing: "ready", sessionId: sessionInUrl(), loading: sessionInUrl() !== null });
else load();
if (!document.querySelector("dialog[open]")) backToComposer();
store.draw(); // not with the next frame: that would take away what is typed until then
document.body.dataset.ready = "";
