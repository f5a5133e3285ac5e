/** Writes moments to come in the reader's own time zone; the page has them in UTC. */

import { serverNowMs, setText } from "./format.js";

// English, as the page is; with the reader's habits where theirs is English too
const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const HOURS = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hourCycle;
const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

/** @param {Date} at @param {Intl.DateTimeFormatOptions} parts */
function format(at, parts) {
  return new Intl.DateTimeFormat(LOCALE, parts).format(at);
}

/** @param {Date} at */
export function clockTime(at) {
  const hour = HOURS?.startsWith("h1") ? "numeric" : "2-digit"; // 4:00 PM and 04:00
  return format(at, { hour, minute: "2-digit", hourCycle: HOURS });
}

/** Today, tomorrow, Friday, or Fri 4 Dec. @param {Date} at @param {Date} now */
export function dayName(at, now) {
  const midnight = (/** @type {Date} */ date) => new Date(date).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(now)) / DAY_MS); // a day may have 23 or 25 hours
  if (days === 0) return "Today";
  if (days === 1) return "Tomorrow";
  if (days > 1 && days < WEEK_DAYS) return format(at, { weekday: "long" });
  return format(at, { weekday: "short", day: "numeric", month: "short" });
}

export function writeLocalTimes() {
  const now = new Date(serverNowMs());
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (
    document.querySelectorAll("time[data-local]")
  )) {
    const at = new Date(time.dateTime);
    if (time.dataset.local === "leaf") {
      setText(time.querySelector("small"), format(at, { month: "short" }));
      setText(time.querySelector("b"), String(at.getDate()));
    } else {
      const day = time.dataset.local === "full" ? `${dayName(at, now)}, ` : "";
      setText(time, day + clockTime(at));
    }
  }
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const zone = timeZone?.replaceAll("_", " ");
  setText(document.querySelector("[data-zone]"), zone ? `In your time zone, ${zone}.` : "In your time zone.");
}

writeLocalTimes();
