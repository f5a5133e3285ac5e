/** Alerts over a streamer's picture, as a browser source: one at a time, each once. What came while
 * it was closed is in the answer to hello; it tells the server when it begins to show one. */

import { play } from "./alert-sound.js";
import { alertElement, silence } from "./alert-view.js";
import { ask, connect } from "./realtime.js";

/** @typedef {import("./alert-view.js").Alert} Alert */

const GONE_MS = 400;
const ASK_AGAIN_MS = 3_000;
const QUEUE_MAX = 500;
const KNOWN_MAX = 2_000;

const stage = /** @type {HTMLElement} */ (document.querySelector(".overlay-alerts"));
/** @type {Alert[]} */ const queue = [];
/** @type {Set<string>} */ const known = new Set(); // queued, shown or skipped here already
/** @type {Alert | null} */ let current = null;
/** @type {number | undefined} */ let timer;
/** @type {any} */ let socket = null;
let more = false;

/** @param {Alert} alert */
const key = (alert) => `${alert.id} ${alert.turn}`;

/** @param {Alert[]} alerts */
function take(alerts) {
  for (const alert of alerts) {
    if (!known.has(key(alert))) {
      if (queue.length >= QUEUE_MAX) break;
      known.add(key(alert));
      queue.push(alert);
    } else if (!queue.some((one) => key(one) === key(alert))) tell(alert); // the server didn't hear
  }
  for (const old of [...known].slice(0, Math.max(0, known.size - KNOWN_MAX))) known.delete(old);
  if (!current && !timer) next();
}

/** @param {Alert} alert */
function tell(alert) {
  if (socket && !alert.id.startsWith("test_")) void ask("shown", { id: alert.id, turn: alert.turn }, socket);
}

function next() {
  timer = undefined;
  const alert = queue.shift();
  if (!alert) {
    current = null;
    if (more) void hello();
    return;
  }
  current = alert;
  stage.replaceChildren(alertElement(alert));
  play(alert.look.sound, alert.look.volume);
  tell(alert);
  timer = window.setTimeout(leave, alert.look.duration_ms);
}

function leave() {
  clearTimeout(timer);
  const gap = current?.gap_ms ?? 0;
  current = null;
  const box = stage.firstElementChild;
  box?.classList.add("gone");
  timer = window.setTimeout(() => {
    box?.remove();
    timer = window.setTimeout(next, gap);
  }, GONE_MS);
}

/** @param {string | null} id */
function skip(id) {
  const at = queue.findIndex((alert) => alert.id === id);
  if (at >= 0) queue.splice(at, 1);
  if (current && (id === null || current.id === id)) leave();
}

/** Lines that a moderator removed. @param {string[] | null} ids null: all so far */
function removed(ids) {
  const isGone = (/** @type {Alert} */ alert) => ids === null || (alert.line_id !== null && ids.includes(alert.line_id));
  for (const alert of queue) if (isGone(alert)) alert.message = "";
  if (current && isGone(current)) silence(stage.firstElementChild);
}

async function hello() {
  const answer = await ask("hello", { part: "alerts" }, socket);
  if (!answer.ok) {
    if (socket.connected) setTimeout(hello, ASK_AGAIN_MS);
    return;
  }
  more = answer.more;
  take(answer.alerts);
  document.documentElement.dataset.joined = ""; // tests wait for it
}

function follow() {
  socket = connect("/overlay", { token: location.pathname.split("/")[2] ?? "" });
  socket.on("connect", () => void hello());
  socket.on("alert", (/** @type {{alert: Alert}} */ { alert }) => take([alert]));
  socket.on("skip", (/** @type {{id: string | null}} */ { id }) => skip(id));
  socket.on("events", (/** @type {{events: any[]}} */ { events }) => {
    for (const event of events) {
      if (event.kind === "removed") removed(event.data.ids);
      else if (event.kind === "cleared") removed(null);
    }
  });
}

function test() {
  const samples = /** @type {Alert[]} */ (JSON.parse(stage.querySelector("script")?.textContent ?? "[]"));
  let turn = 0;
  const fire = () => {
    const sample = samples[turn % samples.length];
    take([{ ...sample, id: `test_${turn}`, turn }]);
    turn += 1;
    setTimeout(fire, sample.look.duration_ms + sample.gap_ms + 2 * GONE_MS);
  };
  if (samples.length) fire();
}

if (new URLSearchParams(location.search).get("test") === "1") test();
else follow();
