/** Theatre mode: the picture takes the window. Kept in a cookie, so that the server renders the
 *  page that way and nothing jumps. */

const YEAR_S = 31_536_000;

export function toggleTheatre() {
  const on = document.documentElement.toggleAttribute("data-theatre");
  document.cookie = `theatre=${on ? 1 : 0}; path=/; max-age=${YEAR_S}; samesite=lax`;
  for (const button of document.querySelectorAll('[data-action="theatre"]')) {
    button.setAttribute("aria-pressed", String(on));
  }
}
