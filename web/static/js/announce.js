/** Speaks one sentence through the page's status line. Never for numbers that move by themselves. */

/** @param {string} sentence */
export function announce(sentence) {
  const line = document.getElementById("announcer");
  if (!line) return;
  line.textContent = "";
  requestAnimationFrame(() => {
    line.textContent = sentence;
  });
}
