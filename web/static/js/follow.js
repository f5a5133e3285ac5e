/** Following without leaving the page; without JavaScript the form is sent. */

import { announce } from "./announce.js";

/** @param {HTMLFormElement} form @param {boolean} follows */
function show(form, follows) {
  const { follow: slug, name = "" } = form.dataset;
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  const use = button.querySelector("use");
  const label = button.querySelector("span");
  form.action = `/@${slug}/${follows ? "unfollow" : "follow"}`;
  button.classList.toggle("button-primary", !follows);
  button.setAttribute("aria-label", follows ? `Following ${name}. Unfollow` : `Follow ${name}`);
  use?.setAttribute("href", (use.getAttribute("href") ?? "").replace(/#.*/, follows ? "#user-check" : "#heart"));
  if (label) label.textContent = follows ? "Following" : "Follow";
}

/** All buttons of a channel say the same. @param {string} slug @param {boolean} follows */
export function showFollow(slug, follows) {
  for (const form of document.querySelectorAll("form[data-follow]")) {
    const own = /** @type {HTMLFormElement} */ (form);
    if (own.dataset.follow === slug) show(own, follows);
  }
}

/** @param {HTMLFormElement} form */
async function send(form) {
  const slug = form.dataset.follow ?? "";
  const follows = !form.action.endsWith("/unfollow");
  showFollow(slug, follows);
  try {
    const answer = await fetch(`/api/v1/channels/${slug}/follow`, { method: follows ? "PUT" : "DELETE" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    announce(follows ? `You follow ${form.dataset.name}` : `You no longer follow ${form.dataset.name}`);
  } catch {
    showFollow(slug, !follows);
    announce("That did not work. Try again.");
  }
}

export function wireFollow() {
  for (const form of document.querySelectorAll("form[data-follow]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void send(/** @type {HTMLFormElement} */ (form));
    });
  }
}
