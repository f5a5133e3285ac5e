/** What every chart has in common: its height, and colours of the page as a canvas takes them. */

export const HEIGHT = 160;

/** @param {string} token A custom property of tokens.css. */
export function colour(token) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${token})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Calls `draw` when the theme changes, as a canvas keeps its colours. @param {() => void} draw */
export function onTheme(draw) {
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
