/** Every page of the studio: forms that stay on it, and the way round on a phone. */

import "./swap.js";

const nav = document.querySelector(".studio-nav");
const current = nav?.querySelector("[aria-current]");
if (nav && current instanceof HTMLElement) {
  nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

/** The browser knows where its user is; without it the streamer chooses from the list. */
const zone = document.querySelector("select[data-guess-zone]");
if (zone instanceof HTMLSelectElement) {
  const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone.options].some((option) => option.value === guess)) zone.value = guess;
}
