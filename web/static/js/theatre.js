/** Theatre mode: the picture takes the window. Kept in a cookie, so that the server renders the
 *  page that way and nothing jumps. */

const YEAR_S = 31_536_000;

export function toggleTheatre() {
  const on = document.documentElement.toggleAttribute("data-theatre");
  keepLayout("theatre", on ? "1" : "0");
  for (const button of document.querySelectorAll('[data-action="theatre"]')) {
    button.setAttribute("aria-pressed", String(on));
  }
}

/**
 * Keep how the page is laid out, under the name that routes/host_cookies.py gives it.
 *
 * @param {string} name
 * @param {string} value
 */
export function keepLayout(name, value) {
  const [prefix, end] = location.protocol === "https:" ? ["__Host-", "; secure"] : ["", ""];
  document.cookie = `${prefix}${name}=${value}; path=/; max-age=${YEAR_S}; samesite=lax${end}`;
}
