/** Stream cards that the page fills or freshens from GET /api/v1/live. Nothing moves by itself. */

import { setSince, setText, viewers } from "./format.js";

/** @typedef {{slug: string, channel_name: string, is_verified: boolean, title: string | null,
 *   thumbnail_url: string | null, started_at_ms: number, viewers: number, state: string, category: string | null,
 *   category_slug: string | null, tags: string[], brand_promotion: boolean, recorded_content: boolean,
 *   age_restricted: boolean, not_general: boolean}} Card */

const REQUEST_TIMEOUT_MS = 8_000;
const HUES = 8;
const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-";

/** @returns {Promise<Card[]>} */
export async function fetchLive() {
  const answer = await fetch("/api/v1/live", {
    headers: { accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()).streams;
}

/** A new card, drawn by the server's own macro in a <template>. @param {Card} item */
export function makeCard(item) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById("card-template"));
  const card = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  card.dataset.slug = item.slug;
  const link = card.querySelector("a");
  if (link) link.href = `/@${encodeURIComponent(item.slug)}`;
  const first = LETTERS.indexOf(item.slug.slice(0, 1));
  const last = LETTERS.indexOf(item.slug.slice(-1));
  const hue = (((first * 5 + last * 3 + item.slug.length) % HUES) + HUES) % HUES;
  for (const avatar of card.querySelectorAll(".avatar")) {
    avatar.className = avatar.className.replace(/avatar--?\d+/, `avatar-${hue}`);
    avatar.textContent = (item.channel_name || item.slug).slice(0, 1);
  }
  updateCard(card, item);
  return card;
}

/** @type {Record<string, string>} */
const BADGES = { live: "Live", reconnecting: "Reconnecting", starting: "Starting", ended: "Ended" };

/** @param {HTMLElement} card @param {string} state as the server's macro draws it */
export function showBadge(card, state) {
  const badge = card.querySelector(".thumb > .badge");
  if (!badge) return;
  badge.className = `badge badge-${state === "live" ? "live" : "over"}`;
  setText(badge, BADGES[state] ?? "Live");
}

/** Declarations and flags in a few letters. @param {HTMLElement} card @param {Card} item */
function showFlags(card, item) {
  const flags = [
    item.age_restricted && "18+",
    item.not_general && "Not for everyone",
    item.brand_promotion && "Promotion",
    item.recorded_content && "Recorded",
  ].filter(Boolean);
  card.toggleAttribute("data-veiled", item.age_restricted || item.not_general);
  const badge = /** @type {HTMLElement | null} */ (card.querySelector("[data-flags]"));
  if (!badge) return;
  badge.hidden = flags.length === 0;
  setText(badge, flags.join(" · "));
}

/** Category and tags. @param {HTMLElement} card @param {Card} item */
function showAbout(card, item) {
  const line = card.querySelector("[data-about]");
  const now = JSON.stringify([item.category_slug, item.tags]);
  if (!(line instanceof HTMLElement) || line.dataset.about === now) return;
  line.dataset.about = now;
  const parts = (item.tags ?? []).map((tag) => {
    const part = document.createElement("span");
    part.className = "tag";
    part.textContent = tag;
    return part;
  });
  line.replaceChildren(...parts);
  if (!item.category || !item.category_slug) return;
  const link = document.createElement("a");
  link.href = `/category/${encodeURIComponent(item.category_slug)}`;
  link.textContent = item.category;
  line.prepend(link);
}

/** @param {HTMLElement} card @param {Card} item */
export function updateCard(card, item) {
  showFlags(card, item);
  showAbout(card, item);
  showBadge(card, item.state);
  setText(card.querySelector(".card-title a"), item.title || item.channel_name);
  setText(card.querySelector("[data-channel-name]"), item.channel_name);
  card.querySelector("[data-verified]")?.toggleAttribute("hidden", !item.is_verified);
  setText(card.querySelector("[data-viewers]"), viewers(item.viewers));
  setSince(card.querySelector("time"), item.started_at_ms);
  if (item.thumbnail_url) freshen(card, item.thumbnail_url);
}

/** The picture changes once the new one is there, so nothing flashes.
 * @param {HTMLElement} card @param {string} url */
function freshen(card, url) {
  const next = new Image(640, 360);
  next.alt = "";
  next.src = url + (url.includes("?") ? "&" : "?") + `t=${Math.floor(Date.now() / 1000)}`;
  next
    .decode()
    .then(() => {
      const old = card.querySelector("img");
      if (old) old.replaceWith(next);
      else card.querySelector(".thumb > .avatar")?.after(next);
    })
    .catch(() => {}); // no thumbnail yet: the initial stays
}

/** A picture that failed shows the channel's initial instead of a broken mark. */
export function hideBrokenImages() {
  for (const image of document.querySelectorAll(".thumb img")) {
    if (!(image instanceof HTMLImageElement)) continue;
    if (image.complete && image.naturalWidth === 0) image.remove();
    else image.addEventListener("error", () => image.remove(), { once: true });
  }
}
