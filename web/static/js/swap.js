/**
 * Forms inside an element with `data-swap` (and an id) are sent without leaving the page: the server
 * answers with the page as ever, and of that only this element is taken. So a preview plays on while a
 * title is saved, and without JavaScript the same form still works.
 */

import { announce } from "./announce.js";
import { setText } from "./format.js";

/** What the server says about it: a mistake before all else. @param {Document} answer */
function sentenceOf(answer) {
  const said = answer.querySelector(".field-error, .form-error") ?? answer.querySelector("[data-notice]");
  return said?.textContent?.trim() ?? "";
}

/** @param {Element} place @param {Element} fresh */
function put(place, fresh) {
  const focused = document.activeElement;
  const kept = focused && place.contains(focused) ? focused.id || focused.getAttribute("aria-label") : null;
  const open = [...place.querySelectorAll("details[open][id]")].map((one) => one.id);
  place.replaceWith(fresh);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (!focused || document.contains(focused)) return;
  const wrong = /** @type {HTMLElement | null} */ (fresh.querySelector("[aria-invalid='true']"));
  const same = /** @type {HTMLElement | null} */ (kept && document.getElementById(kept));
  const next = wrong ?? same ?? /** @type {HTMLElement} */ (fresh);
  if (next === fresh) next.tabIndex = -1;
  next.focus({ preventScroll: !wrong });
}

/** @param {HTMLFormElement} form @param {HTMLElement | null} submitter */
async function send(form, submitter) {
  const place = form.closest("[data-swap]");
  if (!place) return;
  const given = new FormData(form, submitter);
  const isUpload = form.enctype === "multipart/form-data";
  const body = isUpload ? given : new URLSearchParams(/** @type {any} */ (given));
  form.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(form.action, { method: "POST", body });
    const answer = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = answer.getElementById(place.id);
    if (!fresh) {
      // another page: logged out, or no longer allowed
      setText(document.querySelector("title"), answer.title);
      location.assign(response.url);
      return;
    }
    const sentence = sentenceOf(answer); // before the part of it that is taken over is gone
    put(place, document.adoptNode(fresh));
    document.dispatchEvent(new CustomEvent("swapped", { detail: { id: place.id } }));
    if (sentence) announce(sentence);
  } catch {
    form.removeAttribute("aria-busy");
    announce("That could not be sent. Check your connection and try again.");
  }
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (event.defaultPrevented || form.method !== "post" || !form.closest("[data-swap]")) return;
  event.preventDefault();
  if (form.hasAttribute("aria-busy")) return;
  void send(form, /** @type {SubmitEvent} */ (event).submitter);
});
