/** The goal, or the board of tippers, over a streamer's picture. The server draws the first state. */

import { ask, connect } from "./realtime.js";
import { celebrates, showBoard, showGoal } from "./support-view.js";

/** @typedef {import("./support-view.js").Support} Support */

const ASK_AGAIN_MS = 3_000;
const CELEBRATES_MS = 8_000;

const stage = /** @type {HTMLElement} */ (document.querySelector("[data-part]"));
const part = stage.dataset.part ?? "goal";
const isTest = new URLSearchParams(location.search).get("test") === "1";
/** @type {Support["goal"]} */ let before = null;
/** @type {number | undefined} */ let party;

/** @param {Support} support */
function show(support) {
  if (part === "top") {
    showBoard(stage, support.board?.tippers ?? []);
    return;
  }
  showGoal(stage, support.goal);
  if (celebrates(before, support.goal)) {
    stage.classList.add("goal-reached");
    clearTimeout(party);
    party = window.setTimeout(() => stage.classList.remove("goal-reached"), CELEBRATES_MS);
  }
  before = support.goal;
}

function follow() {
  const socket = connect("/overlay", { token: location.pathname.split("/")[2] ?? "" });
  const hello = async () => {
    const answer = await ask("hello", { part }, socket);
    if (answer.ok) show(answer.support);
    else if (socket.connected) setTimeout(hello, ASK_AGAIN_MS);
    document.documentElement.dataset.joined = "";
  };
  socket.on("connect", () => void hello());
  socket.on("support", (/** @type {{support: Support}} */ { support }) => show(support));
}

if (!isTest) follow();
