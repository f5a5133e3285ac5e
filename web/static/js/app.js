/** What every page does with JavaScript. Nothing here is needed to use a page. */

import { announce } from "./announce.js";
import { wireCopyFields } from "./copy.js";
import { localiseMoments, setText, uptime } from "./format.js";

const NOTICE_SHOWN_MS = 8_000;
const NOTICES_AFTER_MS = 2_000; // the page itself comes first

function tickClocks() {
  for (const time of document.querySelectorAll("time[data-since]")) {
    const since = Number(/** @type {HTMLElement} */ (time).dataset.since);
    if (since) setText(time, uptime(since));
  }
}

function wireMenus() {
  const menus = /** @type {NodeListOf<HTMLDetailsElement>} */ (
    document.querySelectorAll("details[data-menu]")
  );
  document.addEventListener("click", (event) => {
    for (const menu of menus) {
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
    }
  });
  for (const menu of menus) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary")?.focus();
    });
    menu.addEventListener("focusout", (event) => {
      const to = /** @type {Node | null} */ (event.relatedTarget);
      if (to && !menu.contains(to)) menu.open = false;
    });
  }
}

/** Sets the theme at once; the cookie is the server's, so the form is still sent. */
function wireTheme() {
  for (const form of document.querySelectorAll("form.theme-switch")) {
    form.addEventListener("submit", (event) => {
      const button = /** @type {HTMLButtonElement | null} */ (
        /** @type {SubmitEvent} */ (event).submitter
      );
      if (!button) return;
      event.preventDefault();
      const watch = document.querySelector("main.watch");
      document.documentElement.dataset.theme =
        button.value === "auto" && watch ? "dark" : button.value;
      for (const other of document.querySelectorAll(".theme-switch button")) {
        const same = /** @type {HTMLButtonElement} */ (other).value === button.value;
        other.setAttribute("aria-pressed", String(same));
      }
      const body = new URLSearchParams({ theme: button.value, next: location.pathname });
      fetch("/theme", { method: "POST", body, redirect: "manual" }).catch(() => {});
    });
  }
}

function wireReveal() {
  for (const group of document.querySelectorAll("[data-reveal]")) {
    const field = group.querySelector("input");
    const button = group.querySelector("button[aria-pressed]");
    if (!field || !(button instanceof HTMLElement)) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
      const use = button.querySelector("use");
      use?.setAttribute(
        "href",
        (use.getAttribute("href") ?? "").replace(/#.*/, shown ? "#eye-off" : "#eye"),
      );
    });
  }
}

/** @param {string} name */
function slugOf(name) {
  const plain = name.normalize("NFKD").toLowerCase().replace(/[̀-ͯ]/g, "");
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 30);
}

/** Suggests an address from the channel's name until the address is edited by hand. */
function wireSlugs() {
  for (const scope of document.querySelectorAll("[data-slug-from]")) {
    const { slugFrom, slugTo } = /** @type {HTMLElement} */ (scope).dataset;
    const from = scope.querySelector(`input[name="${slugFrom}"]`);
    const to = scope.querySelector(`input[name="${slugTo}"]`);
    if (!(from instanceof HTMLInputElement) || !(to instanceof HTMLInputElement)) continue;
    let own = to.value !== "";
    to.addEventListener("input", () => (own = to.value !== ""));
    from.addEventListener("input", () => {
      if (!own) to.value = slugOf(from.value);
    });
  }
}

/** A form with data-confirm asks in its dialog first, also one that came into the page later. */
function wireConfirm() {
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const dialog = document.getElementById(form.dataset.confirm ?? "");
    if (!(dialog instanceof HTMLDialogElement)) return;
    if (form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    setText(dialog.querySelector("[data-confirm-text]"), form.dataset.confirmName ?? "");
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "yes") return;
        form.dataset.confirmed = "1";
        form.requestSubmit();
      },
      { once: true },
    );
  });
}

/** A status that stands in the page from the start is not spoken by itself. It goes after a while,
 * and at once when the stream's state is another one; a mistake stays. */
function speakNotice() {
  const notice = /** @type {HTMLElement | null} */ (document.querySelector("[data-notice]"));
  if (!notice) return;
  announce(notice.textContent?.trim() ?? "");
  if (notice.dataset.notice !== "wrong") setTimeout(() => notice.remove(), NOTICE_SHOWN_MS);
  /** @type {string | undefined} */ let state;
  document.addEventListener("live-view", (event) => {
    const now = /** @type {CustomEvent} */ (event).detail.view.state;
    if (state !== undefined && state !== now) notice.remove();
    state = now;
  });
}

/** The page is there first; a connection for notices can wait. */
function followNotices() {
  if (!document.documentElement.hasAttribute("data-member")) return;
  const load = () => import("./went-live.js").catch((error) => console.warn("no notices", error));
  setTimeout(load, NOTICES_AFTER_MS);
}

/** On a phone the menu of a desk is one line: the page that is open stands in its middle. */
function showCurrent() {
  const nav = document.querySelector(".studio-nav");
  const current = nav?.querySelector("[aria-current]");
  if (nav && current instanceof HTMLElement) {
    nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
  }
}

showCurrent();
wireCopyFields();
wireMenus();
wireTheme();
wireReveal();
wireSlugs();
wireConfirm();
speakNotice();
followNotices();
localiseMoments();
document.addEventListener("swapped", localiseMoments);
setInterval(tickClocks, 1000);
