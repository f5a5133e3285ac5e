/** The studio: the step that turns green the moment the encoder connects. */

import "./player.js";
import { setSince, setText, viewers } from "./format.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */

const panel = document.querySelector("[data-studio-state]");
const steps = document.querySelector("[data-steps]");

/** @param {number} current from 1; past the last, all are done */
function showStep(current) {
  steps?.querySelectorAll("li").forEach((item, index) => {
    item.className = index + 1 < current ? "done" : "";
    if (index + 1 === current) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
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
  showStep(on ? 4 : view.state === "starting" ? 3 : 2);
}

document.addEventListener("live-view", (event) => {
  show(/** @type {CustomEvent} */ (event).detail.view);
});
