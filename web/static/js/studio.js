/** Every page of the studio: forms that stay on it, and the way round on a phone. */

import "./swap.js";

const nav = document.querySelector(".studio-nav");
const current = nav?.querySelector("[aria-current]");
if (nav && current instanceof HTMLElement) {
  nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}
