/** The watch page round the player: title, viewers, time on air, sharing, who else is live. */

import "./player.js";
import { announce } from "./announce.js";
import { fetchLive, hideBrokenImages, makeCard } from "./cards.js";
import { copyFrom } from "./copy.js";
import { setSince, setText, viewers } from "./format.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */

const ALSO_MAX = 6;

const main = /** @type {HTMLElement} */ (document.querySelector("main.watch"));
const onAir = /** @type {HTMLElement} */ (main.querySelector("[data-on-air]"));
const offAir = /** @type {HTMLElement} */ (main.querySelector("[data-off-air]"));

/** @type {Record<string, [string, string]>} */
const BADGES = {
  starting: ["Starting", "badge"],
  live: ["Live", "badge badge-live"],
  reconnecting: ["Reconnecting", "badge badge-warn"],
  ended: ["Ended", "badge"],
  offline: ["Offline", "badge"],
};

/** The clock stops with the stream. @param {boolean} wasLive */
function showOver(wasLive) {
  const lastLive = /** @type {HTMLElement} */ (offAir.querySelector("[data-last-live]"));
  setSince(onAir.querySelector("time"), null);
  if (!wasLive) return;
  lastLive.textContent = "Last live just now";
  lastLive.hidden = false;
}

/** @param {LiveView} view @param {LiveView | undefined} before */
function show(view, before) {
  const live = ["starting", "live", "reconnecting"].includes(view.state);
  onAir.hidden = !live;
  offAir.hidden = live;
  const badge = (live ? onAir : offAir).querySelector(".badge");
  const [label, look] = BADGES[view.state];
  setText(badge, label);
  if (badge) badge.className = look;
  if (live) {
    setText(onAir.querySelector("[data-viewers]"), viewers(view.viewers ?? 0));
    setSince(onAir.querySelector("time"), view.started_at_ms ?? null);
    if (view.title) setText(main.querySelector("[data-title]"), view.title);
  } else {
    showOver(before?.state === "live" || before?.state === "reconnecting");
  }
  if (view.state === before?.state) return;
  if (view.state === "live" && before?.state !== "reconnecting") announce("The stream is live");
  if (view.state === "ended") announce("The stream has ended");
}

function wireShare() {
  const button = /** @type {HTMLElement | null} */ (main.querySelector("[data-share]"));
  if (!button) return;
  button.hidden = false;
  const url = location.origin + location.pathname;
  button.addEventListener("click", () => {
    const phone = matchMedia("(hover: none)").matches && "share" in navigator;
    if (phone) navigator.share({ url, title: document.title }).catch(() => {});
    else void copyFrom(button, url, { done: "Link copied" });
  });
}

async function showAlso() {
  const section = /** @type {HTMLElement | null} */ (main.querySelector("[data-also]"));
  const grid = section?.querySelector(".cards");
  if (!section || !grid) return;
  const streams = await fetchLive().catch(() => []);
  const others = streams.filter((item) => item.slug !== main.dataset.channel).slice(0, ALSO_MAX);
  grid.replaceChildren(...others.map(makeCard));
  section.hidden = others.length === 0;
}

document.addEventListener("live-view", (event) => {
  const { view, before } = /** @type {CustomEvent} */ (event).detail;
  show(view, before);
});
wireShare();
hideBrokenImages();
void showAlso();
