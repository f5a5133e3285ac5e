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

// English, as the pages are; with the reader's habits where theirs is English too
const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const HOURS = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hourCycle;
const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

/** @param {Date} at @param {Intl.DateTimeFormatOptions} parts */
function dateText(at, parts) {
  return new Intl.DateTimeFormat(LOCALE, parts).format(at);
}

/** The time of day, on every page as the reader writes it. @param {Date} at */
export function clockTime(at) {
  const hour = HOURS?.startsWith("h1") ? "numeric" : "2-digit"; // 4:00 PM and 04:00
  return dateText(at, { hour, minute: "2-digit", hourCycle: HOURS });
}

/** Today, Tomorrow, Friday, or Fri 4 Dec. @param {Date} at @param {Date} now */
function dayName(at, now) {
  const midnight = (/** @type {Date} */ date) => new Date(date).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(now)) / DAY_MS); // a day may have 23 or 25 hours
  if (days === 0) return "Today";
  if (days === 1) return "Tomorrow";
  if (days > 1 && days < WEEK_DAYS) return dateText(at, { weekday: "long" });
  return dateText(at, { weekday: "short", day: "numeric", month: "short" });
}

/** Writes the moments that the server wrote in UTC in the reader's own time. */
export function localiseMoments() {
  const now = new Date(serverNowMs());
  for (const time of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("time[data-moment]")
  )) {
    const at = new Date(Number(time.dataset.moment));
    if (time.dataset.look === "leaf") {
      setText(time.querySelector("small"), dateText(at, { month: "short" }));
      setText(time.querySelector("b"), String(at.getDate()));
    } else {
      setText(time, (time.dataset.look === "time" ? "" : `${dayName(at, now)}, `) + clockTime(at));
    }
  }
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone?.replaceAll("_", " ");
  setText(document.querySelector("[data-zone]"), `In your time zone${zone ? `, ${zone}` : ""}.`);
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
