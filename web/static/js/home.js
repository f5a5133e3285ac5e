/** Keeps the cards of the home page and of categories fresh. Streams that start are offered, not
 * pushed in. */

import { fetchLive, hideBrokenImages, showBadge, updateCard } from "./cards.js";
import { setText } from "./format.js";

const REFRESH_MS = 10_000;

const grid = document.querySelector("[data-live-cards]");
const arrivals = /** @type {HTMLElement | null} */ (document.querySelector("[data-arrivals]"));

/** @param {HTMLElement} card */
function markEnded(card) {
  if (card.hasAttribute("data-over")) return;
  card.setAttribute("data-over", "");
  showBadge(card, "ended");
  const time = /** @type {HTMLElement | null} */ (card.querySelector("time"));
  if (time) time.dataset.since = "0";
}

async function refresh() {
  if (document.hidden) return;
  let streams;
  try {
    streams = await fetchLive();
  } catch {
    return; // the next round asks again
  }
  const bySlug = new Map(streams.map((item) => [item.slug, item]));
  const shown = /** @type {HTMLElement[]} */ ([...(grid?.querySelectorAll(".card") ?? [])]);
  for (const card of shown) {
    const item = bySlug.get(card.dataset.slug ?? "");
    if (!item) markEnded(card);
    else if (!card.hasAttribute("data-over")) updateCard(card, item);
  }
  const known = new Set(
    shown.filter((card) => !card.hasAttribute("data-over")).map((card) => card.dataset.slug),
  );
  const category = arrivals?.dataset.arrivals; // of all where none is named
  const fresh = streams.filter(
    (item) => !known.has(item.slug) && (!category || item.category_slug === category),
  );
  if (!arrivals) return;
  arrivals.hidden = fresh.length === 0;
  const names = fresh.length === 1 ? `${fresh[0].channel_name} is live` : `${fresh.length} new streams`;
  setText(arrivals.querySelector("span"), `${names}. Show`);
}

hideBrokenImages();
setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", () => void refresh());
