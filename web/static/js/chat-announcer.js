/** Speaks the chat for those who asked for it: one sentence in 5 s at most, never the list itself. */

import { announce } from "./announce.js";
import { isForMe, spoken } from "./chat-events.js";
import { tipSentence } from "./chat-tips.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */
/** @typedef {"off"|"mentions"|"all"} Preference */

const PAUSE_MS = 5_000;

/** @param {ChatEvent} event @param {string | null} me */
export function sentence(event, me) {
  const name = event.author?.username ?? "";
  const text = spoken(event.text);
  if (event.kind === "announcement") return `Announcement by ${name}: ${text}`;
  if (event.data.tip) return spoken(tipSentence(event));
  if (event.kind === "notice") return text;
  if (!isForMe(event, me)) return `${name}: ${text}`;
  return `${name} ${event.reply_to?.username === me ? "answers you" : "mentions you"}: ${text}`;
}

export class ChatAnnouncer {
  /** @type {ChatEvent[]} */ #waiting = [];
  #more = 0;
  #lastAt = -PAUSE_MS;
  /** @type {number | undefined} */ #timer;

  /** @param {() => Preference} preference @param {() => string | null} me */
  constructor(preference, me) {
    this.preference = preference;
    this.me = me;
  }

  /** New lines of the room, not those of the history. @param {ChatEvent[]} events */
  heard(events) {
    const preference = this.preference();
    if (preference === "off") return;
    const me = this.me();
    for (const event of events) {
      const isLine = ["message", "announcement", "notice"].includes(event.kind);
      if (!isLine || event.removed || event.author?.username === me) continue;
      if (preference === "mentions" && event.kind === "message" && !isForMe(event, me)) continue;
      if (this.#waiting.length) this.#more += 1;
      else this.#waiting.push(event);
    }
    this.#speak();
  }

  /** At once: the answer to what this reader did. @param {string} text */
  say(text) {
    announce(text);
    this.#lastAt = performance.now();
  }

  #speak() {
    clearTimeout(this.#timer);
    const [event] = this.#waiting;
    if (!event) return;
    const wait = this.#lastAt + PAUSE_MS - performance.now();
    if (wait > 0) {
      this.#timer = window.setTimeout(() => this.#speak(), wait);
      return;
    }
    const count = this.#more + 1;
    const what = this.preference() === "mentions" ? "messages for you" : "new messages";
    announce(count === 1 ? sentence(event, this.me()) : `${count} ${what}`);
    this.#lastAt = performance.now();
    this.#waiting = [];
    this.#more = 0;
  }
}
