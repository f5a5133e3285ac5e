/** The page's one Socket.IO connection to /chat; rooms.js has the rooms in it. What each event carries
 * stands at /api/events. */

import { io } from "../vendor/socket.io/socket.io.js";

/** @typedef {{code: string, message: string, field?: string, retry_after_s?: number}} Refusal
 * @typedef {{ok: boolean, error?: Refusal, [key: string]: any}} Ack */
/** @typedef {"connected"|"reconnecting"|"offline"} Connection */

const ACK_TIMEOUT_MS = 8_000;
const OFFLINE_AFTER_ATTEMPTS = 4;
export const RETRY_MS = 5_000; // after a refusal; spread, since a server refuses many at once

/** @type {any} */ let shared = null;
/** @type {Connection} */ let state = "reconnecting";
/** @type {Set<(state: Connection) => void>} */ const watchers = new Set();

/** @param {Connection} next */
function setState(next) {
  if (next !== state) for (const tell of watchers) tell(next);
  state = next;
}

/** A connection to one namespace that comes back by itself, also after a refusal.
 * @param {string} namespace @param {Record<string, string>} [auth] */
export function connect(namespace, auth) {
  const socket = io(namespace, {
    auth,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    reconnectionDelayMax: 15_000, // from 1 s on, doubled and spread by half
  });
  const again = () => setTimeout(() => socket.connect(), RETRY_MS * (1 + Math.random()));
  socket.on("connect_error", () => socket.active || again());
  socket.on("disconnect", (/** @type {string} */ why) => why === "io server disconnect" && again());
  return socket;
}

/** The shared connection; a dock hands its token with the first call.
 * @param {{token: string}} [auth] */
export function chatSocket(auth) {
  if (shared) return shared;
  shared = connect("/chat", auth);
  let failures = 0;
  const lost = () => setState(failures >= OFFLINE_AFTER_ATTEMPTS ? "offline" : "reconnecting");
  shared.on("connect", () => setState("connected"));
  shared.on("connect", () => (failures = 0));
  shared.on("disconnect", lost);
  shared.on("connect_error", () => {
    failures += 1;
    lost();
  });
  addEventListener("offline", () => setState("offline"));
  addEventListener("online", () => {
    if (shared.connected) setState("connected");
    else shared.disconnect().connect(); // now rather than after the back-off
  });
  return shared;
}

/** Tells the state of the connection, now and at each change.
 * @param {(state: Connection) => void} tell */
export function onState(tell) {
  watchers.add(tell);
  tell(state);
}

/** @param {string} code @param {string} message @returns {Ack} */
const failed = (code, message) => ({ ok: false, error: { code, message } });

/** Sends an event and waits for its answer; never rejects, never waits for a reconnect.
 * @param {string} event @param {object} payload @param {any} [socket] @returns {Promise<Ack>} */
export async function ask(event, payload, socket = chatSocket()) {
  if (!socket.connected) return failed("offline", "You're not connected right now.");
  const answer = socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, payload);
  return answer.catch(() => failed("timeout", "The server didn't answer in time."));
}

/** Tells that one more notice stands under the bell.
 * @param {(notice: {title: string, url: string}) => void} tell */
export function onInbox(tell) {
  chatSocket().on("inbox", tell);
}

/** Tells what concerns the person here on any page: a followed channel is live, or about to be.
 * @param {(notice: any) => void} tell */
export function onNotice(tell) {
  chatSocket().on("notice", tell);
}
