/** Keys of the player. They act only while the focus is inside it (WCAG 2.1.4). */

/** @typedef {Record<string, () => void>} Actions */

/** @type {Record<string, string>} */
const KEYS = {
  k: "play",
  " ": "play",
  m: "mute",
  f: "fullscreen",
  t: "theatre",
  p: "pip",
  c: "captions",
  i: "stats",
  l: "live",
  "?": "help",
  ArrowUp: "louder",
  ArrowDown: "quieter",
  ArrowLeft: "back",
  ArrowRight: "forward",
  "Shift+ArrowLeft": "farBack",
  "Shift+ArrowRight": "farForward",
};

/** Elements that use a key themselves. @param {Element} target @param {string} key */
function usesKey(target, key) {
  if (target.closest("dialog, input, textarea, select")) return true;
  if (key.startsWith("Arrow")) return target.closest("media-volume-range") !== null;
  return key === " " && target.closest("button, [role=button], media-volume-range") !== null;
}

/** @param {HTMLElement} player @param {Actions} actions */
export function wireKeys(player, actions) {
  player.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const shift = event.shiftKey && key.startsWith("Arrow") ? "Shift+" : "";
    const action = actions[KEYS[shift + key] ?? ""];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (usesKey(/** @type {Element} */ (event.target), key)) return;
    event.preventDefault();
    action();
  });
}
