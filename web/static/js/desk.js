/** The desk: the state that turns green the moment the encoder connects, and what is left to do. */

import "./player.js";
import { setSince, setText, viewers } from "./format.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */

const panel = document.querySelector("[data-studio-state]");

/** @param {string} selector @param {boolean} shown */
function showAll(selector, shown) {
  for (const one of document.querySelectorAll(selector)) {
    /** @type {HTMLElement} */ (one).hidden = !shown;
  }
}

/** @param {string} name @param {boolean} done */
function check(name, done) {
  const item = document.querySelector(`[data-check="${name}"]`);
  if (!item || item.classList.contains("done") === done) return;
  item.classList.toggle("done", done);
  setText(item.querySelector(".visually-hidden"), done ? ": done" : ": to do");
}

/** @param {LiveView} view */
function show(view) {
  if (!(panel instanceof HTMLElement)) return;
  const on = view.state === "live" || view.state === "reconnecting";
  panel.dataset.studioState = view.state;
  for (const line of panel.querySelectorAll("[data-when]")) {
    /** @type {HTMLElement} */ (line).hidden = line.getAttribute("data-when") !== view.state;
  }
  const facts = /** @type {HTMLElement} */ (panel.querySelector("[data-on-air]"));
  facts.hidden = !on;
  setText(facts.querySelector("[data-viewers]"), viewers(view.viewers ?? 0));
  setSince(facts.querySelector("time"), view.started_at_ms ?? null);
  const warning = /** @type {HTMLElement | null} */ (document.querySelector("[data-warning]"));
  if (warning) {
    warning.hidden = !view.warning;
    setText(warning.querySelector("[data-warning-text]"), view.warning ?? "");
  }
  showAll("[data-when-live]", on || view.state === "starting");
  showAll("[data-when-idle]", !on);
  check("encoder", on || view.state === "starting");
  check("live", on);
}

document.addEventListener("live-view", (event) => {
  show(/** @type {CustomEvent} */ (event).detail.view);
});

document.addEventListener("swapped", () => {
  const title = document.querySelector("input[name='title']");
  check("title", title instanceof HTMLInputElement && title.value !== "");
});
