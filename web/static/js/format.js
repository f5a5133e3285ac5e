/** How numbers and times are written. Pure; the server's macros write the same. */

/** Milliseconds by which the server's clock is ahead of this one, as the page was rendered. */
const rendered = Number(document.documentElement.dataset.now || 0);
let clockOffsetMs = rendered ? rendered - Date.now() : 0;

/** The server's time, as well as the page knows it. */
export function serverNowMs() {
  return Date.now() + clockOffsetMs;
}

/** A better measure of it came. @param {number} nowMs */
export function setServerClock(nowMs) {
  clockOffsetMs = nowMs - Date.now();
}

/**
 * @param {number} sinceMs
 * @param {number} [nowMs]
 * @returns {string} 5:12 or 1:02:03
 */
export function uptime(sinceMs, nowMs = serverNowMs()) {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const tail = two(seconds % 60);
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  return hours ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}

const MOMENT = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

/** Writes the moments that the server wrote in UTC in the reader's own time. */
export function localiseMoments() {
  for (const time of document.querySelectorAll("time[data-moment]")) {
    setText(time, MOMENT.format(Number(/** @type {HTMLElement} */ (time).dataset.moment)));
  }
}

/** @param {number} count */
export function viewers(count) {
  return `${(count || 0).toLocaleString("en")} viewer${count === 1 ? "" : "s"}`;
}

/** Writes only when the text differs, so that nothing is laid out anew for nothing.
 * @param {Element | null} element @param {string} text */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** Lets the ticking clock of app.js show this moment. @param {Element | null} time @param {number | null} sinceMs */
export function setSince(time, sinceMs) {
  if (!(time instanceof HTMLElement)) return;
  time.dataset.since = String(sinceMs || 0);
  if (sinceMs) setText(time, uptime(sinceMs));
}

/** A moment to come, where and how this reader says it. @param {number} atMs */
export function when(atMs) {
  const parts = /** @type {const} */ ({ weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
  return new Date(atMs).toLocaleString(undefined, parts);
}
