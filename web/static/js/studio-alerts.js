/** The studio's page of alerts: the lists follow what comes, and each look is drawn as it is typed. */

import { play } from "./alert-sound.js";
import { alertElement } from "./alert-view.js";
import { announce } from "./announce.js";
import { setText } from "./format.js";
import { watchChannel } from "./studio-feed.js";

const LISTS = ["alert-queue", "alert-given"];
const PAUSE_MS = 400;

const channel = /** @type {HTMLElement | null} */ (document.querySelector("[data-channel]"))?.dataset.channel ?? "";
/** @type {number | undefined} */ let timer;
let open = -1;

/** The look that a form describes. @param {HTMLFormElement} form */
function lookOf(form) {
  const given = Object.fromEntries(new FormData(form));
  const own = form.querySelector("[data-preview]")?.getAttribute("data-picture") ?? null;
  return /** @type {any} */ ({ ...given, volume: Number(given.volume), size_px: Number(given.size_px) || 40, picture_url: own });
}

/** @param {HTMLFormElement} form */
function preview(form) {
  const look = lookOf(form);
  const stage = /** @type {HTMLElement | null} */ (form.querySelector("[data-preview]"));
  const { amount = "", goal = "" } = stage?.dataset ?? {};
  const alert = { id: "preview", turn: 0, kind: "tip", name: "mira", amount, amount_minor: 0, message: "Greetings from the harbour", goal, line_id: null, gap_ms: 0, look };
  stage?.replaceChildren(alertElement(alert));
}

function wire() {
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-look]"))) {
    preview(form);
    form.addEventListener("input", () => preview(form));
    const listen = /** @type {HTMLElement | null} */ (form.querySelector("[data-listen]"));
    if (!listen) continue;
    listen.hidden = false;
    listen.addEventListener("click", () => play(lookOf(form).sound, lookOf(form).volume));
  }
  showOpen();
}

function showOpen() {
  const badge = /** @type {HTMLElement | null} */ (document.querySelector("[data-overlays]"));
  if (!badge || open < 0) return;
  badge.hidden = false;
  badge.classList.toggle("badge-good", open > 0);
  setText(badge, open > 0 ? "OBS is connected" : "Not open in OBS");
}

/** The lists as the server has them now; whoever is in one of them isn't disturbed for long. */
async function refresh() {
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return;
  const answer = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of LISTS) {
    const [here, fresh] = [document.getElementById(id), answer.getElementById(id)];
    if (!here || !fresh) continue;
    const focused = here.contains(document.activeElement) ? document.activeElement?.id : "";
    here.replaceWith(document.adoptNode(fresh));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function soon() {
  clearTimeout(timer);
  timer = window.setTimeout(() => void refresh(), PAUSE_MS);
}

wire();
document.addEventListener("swapped", wire);
watchChannel(channel, {
  watched: (answer) => {
    open = answer.overlays;
    showOpen();
  },
  activity: (item) => {
    if (item.kind !== "tip") return;
    announce(item.text);
    soon();
  },
  alert: soon,
  overlays: (count) => {
    open = count;
    showOpen();
  },
});
