/** Every page of the studio: forms that stay on it, and the time zone of its user. */

import "./swap.js";

/** The browser knows where its user is; without it the streamer chooses from the list. */
const zone = document.querySelector("select[data-guess-zone]");
if (zone instanceof HTMLSelectElement) {
  const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone.options].some((option) => option.value === guess)) zone.value = guess;
}
