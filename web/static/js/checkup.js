/** What only a browser can tell: whether a WebSocket gets through, and whether the clocks agree. */

const WAIT_MS = 8_000;
const CLOCK_APART_MS = 30_000;

/** @param {string} name @param {boolean} isWell */
function tell(name, isWell) {
  const check = document.querySelector(`[data-check="${name}"]`);
  for (const text of check?.querySelectorAll("[data-when]") ?? []) {
    const when = /** @type {HTMLElement} */ (text).dataset.when;
    /** @type {HTMLElement} */ (text).hidden = when !== (isWell ? "ok" : "bad");
  }
}

/** Engine.IO greets each connection with a packet that begins with 0. */
function tryWebSocket() {
  const url = new URL("/socket.io/?EIO=4&transport=websocket&checkup=1", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  let isOver = false;
  /** @param {boolean} isWell */
  const end = (isWell) => {
    if (!isOver) tell("websocket", isWell);
    isOver = true;
    socket.close();
  };
  socket.addEventListener("message", (event) => end(String(event.data).startsWith("0")));
  socket.addEventListener("error", () => end(false));
  socket.addEventListener("close", () => end(false));
  setTimeout(end, WAIT_MS, false);
}

tryWebSocket();
tell("clock", Math.abs(Date.now() - Number(document.documentElement.dataset.now)) < CLOCK_APART_MS);
