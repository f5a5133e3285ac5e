/** Contributions in the chat: their lines, and the row on top in which the larger ones stay. */

import { icon, lineText, make, nameOf, removedText, timeOf } from "./chat-line.js";
import { serverNowMs } from "./format.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */
/** @typedef {import("./chat-line.js").LineContext} LineContext */
/** @typedef {{id: string, kind: string, amount: string, name: string, tier: number, top_until_ms: number}} Tip */
/** @typedef {{line_id: string, text: string, tip: Tip}} Kept */

const KEPT_MAX = 12;
const KEPT_MS = [0, 30_000, 120_000, 300_000, 600_000]; // by tier, as limits.TIP_TIERS says

/** @param {ChatEvent} event with a tip @param {LineContext} context */
export function tipLine(event, context) {
  const { author, text } = event;
  const tip = /** @type {Tip} */ (event.data.tip);
  const line = make("div", `line line-tip tier-${tip.tier}`);
  line.dataset.id = event.id;
  line.dataset.user = author?.username ?? tip.name;
  line.dataset.role = author?.role ?? "viewer";
  line.dataset.text = event.removed ? "" : `${tip.amount} ${text}`.trim();
  line.dataset.at = String(event.at_ms);
  line.tabIndex = -1;
  line.setAttribute("role", "article");
  const head = make("p", "tip-head");
  head.append(timeOf(event.at_ms), author ? nameOf(author, context) : make("bdi", "tip-name", tip.name), " ");
  head.append(make("span", "money", tip.amount));
  line.append(icon(context.icons, "gift"), head);
  if (event.removed) line.append(removedText());
  else line.append(text ? lineText(text, context) : make("bdi", "line-text"));
  return line;
}

/** Text for those who hear it. @param {ChatEvent} event */
export function tipSentence({ text, data }) {
  return `${data.tip.name} gave ${data.tip.amount}${text ? `: ${text}` : ""}`;
}

export class TipRow {
  /** @type {Kept[]} */ #kept = [];
  /** @type {number | undefined} */ #timer;

  /** @param {HTMLElement} list @param {(lineId: string) => void} go */
  constructor(list, go) {
    this.list = list;
    list.replaceChildren(); // the server's have no bar
    list.addEventListener("click", (event) => {
      const chip = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-line]"));
      if (chip) go(chip.dataset.line ?? "");
    });
  }

  /** @param {Kept[]} kept all of them */
  reset(kept) {
    this.#kept = kept;
    this.#draw();
  }

  /** @param {ChatEvent[]} events */
  add(events) {
    const fresh = events
      .filter((event) => event.data.tip && !event.removed && event.data.tip.top_until_ms > serverNowMs())
      .map((event) => ({ line_id: event.id, text: event.text, tip: event.data.tip }));
    if (fresh.length === 0) return;
    const ids = new Set(fresh.map((one) => one.line_id));
    this.#kept = [...fresh, ...this.#kept.filter((one) => !ids.has(one.line_id))];
    this.#draw();
  }

  /** @param {string[]} ids of removed lines */
  remove(ids) {
    this.#kept = this.#kept.filter((one) => !ids.includes(one.line_id));
    this.#draw();
  }

  clear() {
    this.reset([]);
  }

  #draw() {
    clearTimeout(this.#timer);
    const now = serverNowMs();
    this.#kept = this.#kept
      .filter((one) => one.tip.top_until_ms > now)
      .sort((a, b) => b.tip.top_until_ms - a.tip.top_until_ms)
      .slice(0, KEPT_MAX);
    this.list.hidden = this.#kept.length === 0;
    const known = new Map([...this.list.children].map((item) => [/** @type {HTMLElement} */ (item).dataset.tip, item]));
    this.list.replaceChildren(...this.#kept.map((one) => known.get(one.tip.id) ?? this.#chip(one, now)));
    if (this.#kept.length === 0) return;
    const next = Math.min(...this.#kept.map((one) => one.tip.top_until_ms));
    this.#timer = window.setTimeout(() => this.#draw(), Math.max(0, next - now) + 50);
  }

  /** @param {Kept} one @param {number} now */
  #chip({ line_id, text, tip }, now) {
    const item = make("li", "");
    item.dataset.tip = tip.id;
    const chip = make("button", `tip-chip tier-${tip.tier}`);
    chip.type = "button";
    chip.dataset.line = line_id;
    if (text) chip.title = text;
    chip.append(make("bdi", "", tip.name), make("span", "money", tip.amount));
    const bar = make("span", "tip-bar");
    const total = KEPT_MS[tip.tier] || 1;
    bar.style.animationDuration = `${total}ms`;
    bar.style.animationDelay = `${tip.top_until_ms - now - total}ms`; // it began a while ago
    chip.append(bar);
    item.append(chip);
    return item;
  }
}
