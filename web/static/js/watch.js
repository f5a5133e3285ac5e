/** The watch page round player and chat: title, viewers, time on air, following, sharing, layout. */

import "./player.js";
import { announce } from "./announce.js";
import { fetchLive, hideBrokenImages, makeCard } from "./cards.js";
import { copyFrom } from "./copy.js";
import { showFollow, wireFollow } from "./follow.js";
import { setSince, setText, viewers } from "./format.js";
import { onState } from "./realtime.js";
import { showBoard, showGoal } from "./support-view.js";
import { keepLayout } from "./theatre.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */

const ALSO_MAX = 6;
const REPORT_MS = 10_000;
const LOSS_SPREAD_MS = 1_000;

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
  lastLive.textContent = "Live until just now";
  lastLive.hidden = false;
}

/** @param {string} title */
function showTitle(title) {
  const { name = "", site = "" } = main.dataset;
  setText(main.querySelector("[data-title]"), title);
  document.title = [title, name, site].filter((part, at) => at === 0 || part !== title).join(" · ");
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
    if (view.title) showTitle(view.title);
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

/** What the chat's connection tells, at once; the player's own asking stays for when there is none.
 * @param {{live?: LiveView | null, viewers?: number, followers?: number, follows?: boolean,
 *   support?: import("./support-view.js").Support}} facts */
function heard({ live, viewers: count, followers, follows, support }) {
  const player = /** @type {any} */ (document.querySelector("live-player"));
  const known = player?.view;
  const isNews = live && (live.state !== known?.state || live.broadcast_id !== known?.broadcast_id);
  if (isNews) player?.poll?.now();
  else if (live?.title && known && known.state !== "offline") showTitle(live.title);
  if (count !== undefined) setText(onAir.querySelector("[data-viewers]"), viewers(count));
  if (followers !== undefined) setText(main.querySelector("[data-followers]"), followers.toLocaleString("en"));
  const given = main.querySelector("[data-support]");
  if (support && given) {
    showGoal(given, support.goal);
    showBoard(given, support.tippers);
  }
  if (follows !== undefined) showFollow(main.dataset.channel ?? "", follows);
}

/** A connection that breaks may be the word that there is nothing more to see. */
function wireLoss() {
  let connected = false;
  onState((state) => {
    const lost = connected && state !== "connected";
    connected = state === "connected";
    const player = /** @type {any} */ (document.querySelector("live-player"));
    // spread, as a server that stops drops everybody at once
    if (lost) setTimeout(() => player?.poll?.now(), Math.random() * LOSS_SPREAD_MS);
  });
}

/** Kept in a cookie, so that the server renders the page that way and nothing jumps. */
function wireChatToggle() {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-chat-toggle]"));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const hidden = document.documentElement.toggleAttribute("data-chat-hidden");
      keepLayout("chat", hidden ? "hidden" : "shown");
      [...buttons].find((other) => other.offsetWidth > 0)?.focus();
    });
  }
}

/** In a dialog, so that the stream goes on; a visitor logs in first, on a page of their own. */
function wireTip() {
  const link = /** @type {HTMLAnchorElement | null} */ (main.querySelector("[data-tip-link]"));
  if (!link || !document.documentElement.hasAttribute("data-member")) return;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    import("./tip.js").then(({ openTip }) => openTip(link)).catch(() => location.assign(link.href));
  });
}

/** A phone's keyboard covers the page where the browser doesn't shrink it; the chat then fits into
 *  what is left to see. */
function wireKeyboard() {
  const seen = visualViewport;
  if (!seen) return;
  const fit = () => document.documentElement.style.setProperty("--seen", `${seen.height}px`);
  seen.addEventListener("resize", fit);
  fit();
}

/** How playback goes, for the streamer's health figures. */
function wireReports() {
  let stalls = 0;
  setInterval(() => {
    const stats = /** @type {any} */ (document.querySelector("live-player"))?.stats;
    const video = document.querySelector("live-player video");
    const room = /** @type {any} */ (document.querySelector("live-chat"))?.room;
    if (!room?.report || stats?.state !== "live" || !(video instanceof HTMLVideoElement)) return;
    const since = Math.max(0, stats.stalls - stalls);
    stalls = stats.stalls;
    room.report({
      way: stats.way === "native" ? "hls" : stats.way,
      latency_ms: Math.max(0, Math.round(stats.latencyMs ?? 0)),
      stalls: Math.min(since, 1000),
      dropped_frames: stats.droppedVideoFrames ?? 0,
      width: video.videoWidth,
      height: video.videoHeight,
    });
  }, REPORT_MS);
}

document.addEventListener("live-view", (event) => {
  const { view, before } = /** @type {CustomEvent} */ (event).detail;
  show(view, before);
});
document.addEventListener("room-live", (event) => heard(/** @type {CustomEvent} */ (event).detail));
wireShare();
wireFollow();
wireChatToggle();
wireTip();
wireKeyboard();
wireReports();
wireLoss();
hideBrokenImages();
void showAlso();
