/** The field to write in: sending, recall, the line answered to, what is allowed and from when. */

import { lengthInWords, moderates, spoken, TEXT_CHARS_MAX } from "./chat-events.js";
import { serverNowMs, setText } from "./format.js";

/** @typedef {import("./chat-events.js").You} You */
/** @typedef {import("./chat-events.js").ReplyTo} ReplyTo */

const COUNT_FROM = 100; // characters left
/** What the server says of a time-out: the length at that moment, then the moderator's reason. */
const TIMED_OUT = /^You can't write here for [^.]*\.\s*(.*)$/s;
const RECALL_MAX = 20;
const LINES_MAX = 4;

export class Composer {
  /** @type {ReplyTo | null} */ #replyTo = null;
  /** @type {string[]} */ #said = [];
  #recalled = -1;
  #nextAtMs = 0;
  #untilMs = 0;
  /** @type {number | undefined} */ #timer;

  /**
   * @param {HTMLElement} root
   * @param {{send: (text: string, replyTo: ReplyTo | null) => boolean, over: () => void}} handlers
   *   `send` says whether it was taken; `over`: the moment has come until which one couldn't write
   */
  constructor(root, handlers) {
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(name));
    this.form = /** @type {HTMLFormElement} */ (root.querySelector(".chat-form"));
    this.field = /** @type {HTMLTextAreaElement} */ (root.querySelector(".chat-form textarea"));
    this.button = part(".chat-send");
    this.count = part(".chat-count");
    this.bar = part(".chat-reply");
    this.blocked = part(".chat-blocked");
    this.handlers = handlers;
    /** @type {You | null} */
    this.you = null;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.bar.querySelector("button")?.addEventListener("click", () => this.reply(null));
  }

  /** @param {You} you */
  show(you) {
    this.you = you;
    // what was just said may be newer than what the server knew when it wrote this
    const own = Math.min(this.#nextAtMs, serverNowMs() + you.slow_s * 1000);
    this.#nextAtMs = moderates(you.role) ? 0 : Math.max(own, you.next_at_ms ?? 0);
    this.#untilMs = you.can_write ? 0 : (you.until_ms ?? 0);
    this.form.hidden = !you.can_write;
    this.blocked.hidden = you.can_write;
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (this.blocked.querySelectorAll("[data-for]"))) {
      one.hidden = one.dataset.for !== you.code;
    }
    const why = /** @type {HTMLElement | null} */ (this.blocked.querySelector("[data-why]"));
    if (why) why.hidden = you.code === "sign_in"; // the button says it
    if (!you.can_write) this.reply(null);
    this.#tick();
  }

  /** @param {ReplyTo | null} to */
  reply(to) {
    this.#replyTo = to;
    this.bar.hidden = to === null;
    if (!to) return;
    setText(this.bar.querySelector("strong"), `@${to.username}`);
    setText(this.bar.querySelector("bdi"), spoken(to.text));
    this.field.focus();
  }

  /** Nobody answers to what was removed. @param {string[]} ids */
  removed(ids) {
    if (this.#replyTo && ids.includes(this.#replyTo.id)) this.reply(null);
  }

  /** Puts words in at the cursor. @param {string} text */
  insert(text) {
    const { selectionStart: start, selectionEnd: end, value } = this.field;
    const before = value.slice(0, start);
    const gap = before && !/\s$/.test(before) ? " " : "";
    this.field.setRangeText(`${gap}${text} `, start, end, "end");
    this.#typed();
  }

  /** Sets the whole text, with the cursor at its end. @param {string} text */
  fill(text) {
    this.field.value = text;
    this.field.setSelectionRange(text.length, text.length);
    this.#typed();
  }

  /** The rule has changed; what it means for this reader follows. @param {number} seconds */
  slow(seconds) {
    if (this.you) this.you.slow_s = seconds;
  }

  /** Slow mode: nothing more before this moment. @param {number} atMs of the server's clock */
  waitUntil(atMs) {
    this.#nextAtMs = Math.max(this.#nextAtMs, atMs);
    this.#tick();
  }

  #send() {
    const text = this.field.value.replace(/\s+/g, " ").trim();
    if (!text || [...text].length > TEXT_CHARS_MAX || this.#waitS() > 0) {
      this.field.focus();
      return;
    }
    if (!this.handlers.send(text, this.#replyTo)) return;
    this.#said = [text, ...this.#said.filter((said) => said !== text)].slice(0, RECALL_MAX);
    this.#recalled = -1;
    this.fill("");
    this.reply(null);
    this.field.focus();
    const slow = this.you?.slow_s ?? 0;
    if (slow && !moderates(this.you?.role ?? "") && !text.startsWith("/")) {
      this.waitUntil(serverNowMs() + slow * 1000);
    }
  }

  #typed() {
    if (/[\r\n]/.test(this.field.value)) {
      const at = this.field.selectionStart;
      this.field.value = this.field.value.replace(/[\r\n]+/g, " ");
      this.field.setSelectionRange(at, at);
    }
    const left = TEXT_CHARS_MAX - [...this.field.value.trim()].length;
    this.count.hidden = left > COUNT_FROM;
    setText(this.count, left < 0 ? `${-left} too many` : `${left} left`);
    this.count.classList.toggle("chat-count-over", left < 0);
    this.#grow();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return; // chat.css does it
    this.field.style.blockSize = "auto";
    const { lineHeight, paddingBlock } = getComputedStyle(this.field);
    const most = parseFloat(lineHeight) * LINES_MAX + 2 * parseFloat(paddingBlock);
    this.field.style.blockSize = `${Math.min(this.field.scrollHeight, most)}px`;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Escape" && this.#replyTo) {
      event.preventDefault();
      this.reply(null);
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.#recall(event);
  }

  /** Arrow keys walk through what was said, as long as the text is one of those or empty.
   * @param {KeyboardEvent} event */
  #recall(event) {
    const { value } = this.field;
    if (value && value !== this.#said[this.#recalled]) return;
    const next = this.#recalled + (event.key === "ArrowUp" ? 1 : -1);
    if (next < -1 || next >= this.#said.length) return;
    event.preventDefault();
    this.#recalled = next;
    this.fill(this.#said[next] ?? "");
  }

  #waitS() {
    return Math.max(0, Math.ceil((this.#nextAtMs - serverNowMs()) / 1000));
  }

  /** Once a second while something runs out: the button counts slow mode, the reason a time-out. */
  #tick() {
    clearTimeout(this.#timer);
    const wait = this.#waitS();
    const blockedS = Math.max(0, Math.ceil((this.#untilMs - serverNowMs()) / 1000));
    this.button.classList.toggle("chat-send-wait", wait > 0);
    this.button.setAttribute("aria-disabled", String(wait > 0));
    this.button.setAttribute("aria-label", wait ? `Wait ${lengthInWords(wait)}` : "Send");
    const digits = wait > 99 ? `${Math.ceil(wait / 60)}m` : String(wait);
    setText(this.button.querySelector("span"), wait ? digits : "");
    if (this.you && !this.you.can_write) {
      const words = this.you.why_not || "You can’t write here right now.";
      const left = `You can’t write here for another ${lengthInWords(blockedS)}.`;
      const [, reason = ""] = TIMED_OUT.exec(words) ?? [];
      let why = words;
      if (blockedS) why = this.you.code === "timed_out" ? `${left} ${reason}` : `${words} ${left}`;
      setText(this.blocked.querySelector("[data-why]"), why);
    }
    if (this.#untilMs && !blockedS) {
      this.#untilMs = 0;
      this.handlers.over();
    }
    if (wait || blockedS) this.#timer = window.setTimeout(() => this.#tick(), 1000);
  }
}
