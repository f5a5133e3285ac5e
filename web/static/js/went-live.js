/** Says on any page that a followed channel is live, and counts at the bell. Loaded for those who are logged in, once the
 *  page itself stands. */

import { announce } from "./announce.js";
import { onInbox, onNotice } from "./realtime.js";

const SHOWN_MS = 20_000;

/** @typedef {{kind: "went-live"|"schedule", slug: string, name: string, title: string, url: string}} Notice */

/** @param {Notice} notice */
function show({ kind, slug, name, title, url }) {
  if (location.pathname === `/@${slug}` || !url.startsWith("/")) return;
  const words = kind === "went-live" ? `${name} is live` : `${name} is about to start`;
  const box = document.createElement("section");
  box.className = "toast";
  box.setAttribute("aria-label", words);
  const text = document.createElement("p");
  text.append(Object.assign(document.createElement("strong"), { textContent: words }));
  text.append(Object.assign(document.createElement("span"), { textContent: title }));
  const watch = Object.assign(document.createElement("a"), { className: "button button-primary", href: url });
  watch.textContent = kind === "went-live" ? "Watch" : "Open";
  const close = Object.assign(document.createElement("button"), { className: "button button-quiet", type: "button" });
  close.textContent = "Dismiss";
  close.addEventListener("click", () => box.remove());
  box.append(text, watch, close);
  document.querySelector(".toast")?.remove();
  document.body.append(box);
  announce(title && title !== name ? `${words}: ${title}` : words);
  // it stays as long as somebody is at it
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, SHOWN_MS) : box.remove());
  setTimeout(leave, SHOWN_MS);
}

const MOST = 99; // what the bell counts

/** @param {{title: string}} notice */
function count({ title }) {
  const bell = /** @type {HTMLElement | null} */ (document.querySelector("[data-bell]"));
  const shown = /** @type {HTMLElement | null} */ (bell?.querySelector(".badge") ?? null);
  if (!bell || !shown) return;
  const unread = Number(bell.dataset.bell) + 1;
  bell.dataset.bell = String(unread);
  shown.textContent = unread > MOST ? `${MOST}+` : String(unread);
  bell.setAttribute("aria-label", `Notices, ${shown.textContent} unread`);
  shown.hidden = false;
  announce(`New notice: ${title}`);
}

onNotice(show);
onInbox(count);
