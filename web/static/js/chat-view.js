/**
 * The list of lines: newest at the bottom, written once per frame, 200 at most. As long as the
 * reader is away from the bottom, or a line is in use, new ones wait behind the pill.
 *
 * The scroller is a reversed column, so its scrollTop is 0 at the bottom and negative above.
 */

import { blankQuote, make, makeLine, notice, removedText, sentenceOf } from "./chat-line.js";
import { tipLine } from "./chat-tips.js";
import { clockTime } from "./format.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */
/** @typedef {import("./chat-line.js").LineContext} LineContext */

const NODES_MAX = 200;
const PINNED_PX = 32;
const FOLD_MS = 40_000;
const FOLDED_MAX = 3;
const LONG_CHARS = 150; // a shorter one is not measured
const LONG_LINES = 6;
const GAP_MS = 30 * 60_000;
const FLASH_MS = 1_600;

export class ChatView {
  /** @type {ChatEvent[]} */ #queue = [];
  #frame = 0;
  /** @type {{user: string, atMs: number, folded: number} | null} */ #head = null;
  #lastAtMs = 0;
  /** @type {Set<string>} */ #holds = new Set();

  /** @param {HTMLElement} root the element that holds .chat-scroll, .chat-lines, .chat-waiting and .chat-pill
   * @param {LineContext} context */
  constructor(root, context) {
    const part = (/** @type {string} */ name) =>
      /** @type {HTMLElement} */ (root.querySelector(name));
    this.scroller = part(".chat-scroll");
    this.lines = part(".chat-lines");
    this.waiting = part(".chat-waiting");
    this.empty = part(".chat-empty");
    this.pill = part(".chat-pill");
    this.context = context;
    this.scroller.addEventListener("scroll", () => this.isPinned && this.#wake(), { passive: true });
    this.lines.addEventListener("focusin", (event) => {
      // by keyboard only: a line that was tapped or clicked keeps the focus long after
      const line = /** @type {Element} */ (event.target);
      this.hold("focus", line.matches(":focus-visible"));
    });
    this.lines.addEventListener("focusout", () => this.hold("focus", false));
    this.lines.addEventListener("click", (event) => this.#goToReply(event));
    this.pill.addEventListener("click", () => this.toBottom());
  }

  get isPinned() {
    return Math.abs(this.scroller.scrollTop) <= PINNED_PX;
  }

  /** Keeps the lines where they are while one of them is in use. @param {string} why @param {boolean} on */
  hold(why, on) {
    if (on) this.#holds.add(why);
    else this.#holds.delete(why);
    if (!on) this.#wake();
  }

  /** @param {ChatEvent[]} events lines only */
  add(events) {
    this.#queue.push(...events);
    if (this.#queue.length > NODES_MAX) this.#queue.splice(0, this.#queue.length - NODES_MAX);
    this.#wake();
  }

  /** @param {ChatEvent[]} events all that is shown from now on */
  reset(events) {
    this.#queue = [];
    this.#head = null;
    this.#lastAtMs = 0;
    this.lines.replaceChildren();
    this.#draw(events.slice(-NODES_MAX));
    this.scroller.scrollTop = 0;
    this.#showPill();
  }

  /** @param {string[]} ids */
  remove(ids) {
    const gone = new Set(ids);
    for (const event of this.#queue) {
      if (gone.has(event.id)) Object.assign(event, { removed: true, text: "" });
      if (event.reply_to && gone.has(event.reply_to.id)) event.reply_to = { ...event.reply_to, text: "" };
    }
    for (const quote of /** @type {NodeListOf<HTMLElement>} */ (this.lines.querySelectorAll(".line-reply"))) {
      if (gone.has(quote.dataset.replyTo ?? "")) blankQuote(quote);
    }
    for (const id of gone) {
      const line = this.line(id);
      if (line?.dataset.text) this.#blank(line);
    }
    this.#gather();
  }

  clear() {
    this.#queue = [];
    this.#head = null;
    this.lines.replaceChildren();
    this.#showPill();
  }

  /** @param {string} id */
  line(id) {
    return /** @type {HTMLElement | null} */ (
      this.lines.querySelector(`[data-id="${CSS.escape(id)}"]`)
    );
  }

  toBottom() {
    this.#holds.clear();
    this.scroller.scrollTop = 0;
    this.#wake();
  }

  /** A sentence that only this reader sees. @param {string} text @param {string} [symbol] */
  tell(text, symbol) {
    this.lines.append(notice(text, this.context, symbol));
    this.#head = null;
    this.#trim();
    if (this.isPinned) this.scroller.scrollTop = 0;
  }

  /** The next line by arrow keys. @param {number} step @returns {HTMLElement | null} */
  focusStep(step) {
    const all = /** @type {HTMLElement[]} */ ([...this.lines.querySelectorAll(".line[data-id]:not([hidden])")]);
    const here = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const at = here < 0 ? (step < 0 ? all.length - 1 : -1) : here + step;
    if (at >= all.length) {
      this.scroller.focus();
      this.toBottom();
      return null;
    }
    const line = all[Math.max(0, at)];
    if (!line) return null;
    line.setAttribute("aria-label", sentenceOf(line));
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: "nearest" });
    return line;
  }

  #wake() {
    this.#showPill();
    if (this.#frame || this.#queue.length === 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.isPinned || this.#holds.size) {
        this.#showPill();
        return;
      }
      this.#draw(this.#queue.splice(0));
      this.scroller.scrollTop = 0;
      this.#showPill();
    });
  }

  /** @param {ChatEvent[]} events */
  #draw(events) {
    const fragment = document.createDocumentFragment();
    for (const event of events) {
      const line = event.data.tip ? tipLine(event, this.context) : makeLine(event, this.context);
      if (!line) continue;
      this.#divide(fragment, event.at_ms);
      this.#fold(line, event);
      fragment.append(line);
    }
    const fresh = /** @type {HTMLElement[]} */ ([...fragment.children]);
    this.lines.append(fragment);
    this.#trim();
    for (const line of fresh) if ((line.dataset.text ?? "").length > LONG_CHARS) this.#shorten(line);
    if (events.some((event) => event.removed)) this.#gather();
  }

  /** Says when it went on, after a silence: a chat that is always open has old lines.
   * @param {DocumentFragment} fragment @param {number} atMs */
  #divide(fragment, atMs) {
    if (atMs - this.#lastAtMs > GAP_MS && (this.#lastAtMs || Date.now() - atMs > GAP_MS)) {
      const mark = make("div", "line-gap", moment(atMs));
      fragment.append(mark);
      this.#head = null;
    }
    this.#lastAtMs = atMs;
  }

  /** Lines of one person within 40 s share one name. @param {HTMLElement} line @param {ChatEvent} event */
  #fold(line, event) {
    const user = event.kind === "message" && event.author ? event.author.username : "";
    const head = this.#head;
    const isNear = user && head?.user === user && event.at_ms - head.atMs < FOLD_MS;
    if (isNear && head.folded < FOLDED_MAX && !event.reply_to && !event.removed) {
      line.classList.add("line-folded");
      head.folded += 1;
    } else this.#head = user ? { user, atMs: event.at_ms, folded: 0 } : null;
    // after a long one nobody remembers whose it was
    if (this.#head && (event.removed || event.text.length > LONG_CHARS)) this.#head.folded = FOLDED_MAX;
  }

  /** A message of many lines shows its beginning. @param {HTMLElement} line */
  #shorten(line) {
    const body = /** @type {HTMLElement | null} */ (line.querySelector(".line-text"));
    if (!body || body.offsetHeight < (LONG_LINES + 0.5) * parseFloat(getComputedStyle(line).lineHeight)) return;
    const part = make("div", "line-long");
    part.append(...[...line.childNodes].filter((node) => !(/** @type {Element} */ (node).matches?.(".line-reply, .line-tools"))));
    const more = make("button", "line-again", "Show all");
    more.type = "button";
    more.addEventListener("click", () => {
      part.classList.remove("line-long");
      more.remove();
    });
    line.append(part, more);
  }

  /** Removed lines that follow each other become one, which counts them. */
  #gather() {
    /** @type {HTMLElement[]} */ let run = [];
    for (const line of /** @type {HTMLElement[]} */ ([...this.lines.children])) {
      const isGone = line.querySelector(".line-removed") !== null;
      if (isGone) run.push(line);
      const next = line.nextElementSibling;
      if (run.length === 0 || (isGone && next?.querySelector(".line-removed"))) continue;
      const count = run.length;
      run.forEach((one, i) => {
        one.hidden = i < count - 1;
        if (one.hidden && one === document.activeElement) run[count - 1].focus({ preventScroll: true });
        one.classList.remove("line-folded");
      });
      const last = run[count - 1];
      const name = /** @type {HTMLElement | null} */ (last.querySelector(".line-name"));
      if (name) name.hidden = count > 1;
      last.querySelector(".line-removed")?.replaceWith(removedText(count));
      next?.classList.remove("line-folded");
      run = [];
    }
  }

  #trim() {
    while (this.lines.children.length > NODES_MAX) this.lines.firstElementChild?.remove();
    this.lines.firstElementChild?.classList.remove("line-folded");
    this.empty.hidden = this.lines.childElementCount > 0;
  }

  /** @param {HTMLElement} line */
  #blank(line) {
    line.dataset.text = "";
    line.querySelector(".line-text")?.replaceWith(removedText());
    line.querySelector(".line-again")?.remove();
    line.querySelector(".line-reply")?.remove();
    if (line.hasAttribute("aria-label")) line.setAttribute("aria-label", sentenceOf(line));
  }

  #showPill() {
    const count = this.#queue.length;
    const away = count > 0 && (!this.isPinned || this.#holds.size > 0);
    this.pill.hidden = !away && this.isPinned;
    const text = count ? `${count}${count === NODES_MAX ? "+" : ""} new message${count === 1 ? "" : "s"}` : "To the newest";
    const label = this.pill.querySelector("span");
    if (label && label.textContent !== text) label.textContent = text;
  }

  /** @param {MouseEvent} event */
  #goToReply(event) {
    const quote = /** @type {Element} */ (event.target).closest("[data-reply-to]");
    if (quote) this.goTo(quote.getAttribute("data-reply-to") ?? "");
  }

  /** @param {string} id of a line, which may be gone from the list */
  goTo(id) {
    const line = this.line(id);
    if (!line) return;
    line.scrollIntoView({ block: "center" });
    line.classList.add("line-flash");
    setTimeout(() => line.classList.remove("line-flash"), FLASH_MS);
  }
}

/** "Today, 21:40", "Yesterday, 9:02", "Friday 14 November, 20:15". @param {number} atMs */
export function moment(atMs) {
  const at = new Date(atMs);
  const time = clockTime(at);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(atMs).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return time;
  if (days === 1) return `Yesterday, ${time}`;
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : /** @type {const} */ ("numeric");
  return `${at.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year })}, ${time}`;
}
