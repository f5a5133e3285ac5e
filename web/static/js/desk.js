/** The desk: the state that turns green the moment the encoder connects, what is left to do, how the
 * stream does and what happens around it. */

import "./player.js";
import { announce } from "./announce.js";
import { clockTime, setSince, setText, viewers } from "./format.js";
import { showFacts } from "./studio-facts.js";
import { watchChannel } from "./studio-feed.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */
/** @typedef {import("./studio-feed.js").Health} Health */
/** @typedef {import("./studio-feed.js").Activity} Activity */

const KEYFRAMES_GOOD_MS = 4_500;
const ITEMS_MAX = 200;

const panel = document.querySelector("[data-studio-state]");
const feed = document.querySelector("[data-feed]");
const channel = /** @type {HTMLElement | null} */ (document.querySelector("[data-channel]"))?.dataset.channel;

/** @param {string} name @param {boolean} done */
function check(name, done) {
  const item = document.querySelector(`[data-check="${name}"]`);
  if (!item || item.classList.contains("done") === done) return;
  item.classList.toggle("done", done);
  setText(item.querySelector(".visually-hidden"), done ? ": done" : ": to do");
}

/** @param {LiveView} view */
function show(view) {
  if (!(panel instanceof HTMLElement)) return;
  /** @type {string} */
  const state = view.state;
  const on = state === "live" || state === "reconnecting";
  panel.dataset.studioState = state;
  for (const line of /** @type {NodeListOf<HTMLElement>} */ (panel.querySelectorAll("[data-when]"))) {
    line.hidden = line.dataset.when !== state;
  }
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-show]"))) {
    part.hidden = !part.dataset.show?.split(" ").includes(state);
  }
  const facts = /** @type {HTMLElement} */ (panel.querySelector("[data-on-air]"));
  facts.hidden = !on;
  setText(facts.querySelector("[data-viewers]"), viewers(view.viewers ?? 0));
  setSince(facts.querySelector("time"), view.started_at_ms ?? null);
  const connected = on || state === "starting" || state === "held";
  check("encoder", connected);
  check("sound", connected && Boolean(view.audio_codec));
  check("live", on);
  if (!connected) check("keyframes", false);
}

/** @param {Health | null} health */
function showHealth(health) {
  showFacts(health);
  const interval = health?.verdict === "idle" ? null : health?.keyframe_interval_ms;
  if (interval) check("keyframes", interval <= KEYFRAMES_GOOD_MS);
}

/** @param {Activity} item */
function line(item) {
  const entry = document.createElement("li");
  entry.dataset.kind = item.kind;
  const time = document.createElement("time");
  time.dateTime = new Date(item.at_ms).toISOString();
  time.textContent = clockTime(new Date(item.at_ms));
  entry.append(time, Object.assign(document.createElement("span"), { textContent: item.text }));
  return entry;
}

/** Newest first. @param {Activity[]} items newest last */
function addActivity(items) {
  if (!feed || items.length === 0) return;
  feed.prepend(...items.map(line).reverse());
  while (feed.children.length > ITEMS_MAX) feed.lastElementChild?.remove();
  /** @type {HTMLElement} */ (document.querySelector("[data-feed-empty]")).hidden = true;
}

document.addEventListener("live-view", (event) => show(/** @type {CustomEvent} */ (event).detail.view));

document.addEventListener("swapped", () => {
  for (const name of ["title", "category"]) {
    const field = document.querySelector(`.desk-form [name='${name}']`);
    check(name, /** @type {HTMLInputElement | null} */ (field)?.value !== "");
  }
});

if (channel) {
  watchChannel(channel, {
    watched: (answer) => {
      feed?.replaceChildren();
      addActivity(answer.activity);
      showHealth(answer.health);
    },
    health: showHealth,
    activity: (item) => {
      addActivity([item]);
      if (item.kind !== "moderation") announce(item.text);
    },
  });
}
