/** Lines on their way: shown at once, confirmed by the answer or the line itself, else sent again. */

import { icon, lineText, make, nameOf } from "./chat-line.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */
/** @typedef {import("./chat-line.js").LineContext} LineContext */
/** @typedef {{ok: boolean, id?: string, sequence?: number, notice?: string, error?: {code: string, message: string, retry_after_s?: number}}} Answer */
/**
 * @typedef {object} Waiting
 * @property {string} nonce
 * @property {string} text
 * @property {import("./chat-events.js").ReplyTo | null} replyTo
 * @property {HTMLElement} line
 * @property {"sending"|"failed"|"sent"} state
 * @property {string | null} id once the server named it
 * @property {boolean} isUnknown whether the server may have it all the same
 */

const SHOWN_MAX = 10;
/** Answers after which nobody knows whether the line arrived: the nonce makes trying again safe. */
const UNKNOWN = ["offline", "timeout", "unavailable"];

export class WaitingLines {
  /** @type {Waiting[]} */ #all = [];

  /**
   * @param {HTMLElement} list
   * @param {LineContext} context
   * @param {(text: string, options: {reply_to?: string, nonce: string}) => Promise<Answer>} say
   * @param {{failed: (answer: Answer, text: string) => void}} handlers
   */
  constructor(list, context, say, handlers) {
    this.list = list;
    this.context = context;
    this.say = say;
    this.handlers = handlers;
  }

  get isFull() {
    return this.#all.length >= SHOWN_MAX;
  }

  /** @param {string} text @param {import("./chat-events.js").ReplyTo | null} replyTo @param {string} role */
  send(text, replyTo, role) {
    const line = make("div", "line line-waiting");
    line.append(nameOf({ username: this.context.me ?? "", role }, this.context), " ");
    line.append(lineText(text, this.context), make("span", "line-state"));
    const waiting = { nonce: newNonce(), text, replyTo, line, state: /** @type {const} */ ("sending"), id: null, isUnknown: false };
    this.#all.push(waiting);
    this.list.append(line);
    void this.#try(waiting);
  }

  /** After a reconnect: what has no answer goes again, under the same nonce. */
  sendAgain() {
    for (const waiting of this.#all) {
      if (waiting.state === "failed" && waiting.isUnknown) void this.#try(waiting);
    }
  }

  /** Lines of the room have arrived: ours among them are no longer on their way. @param {ChatEvent[]} events */
  arrived(events) {
    for (const event of events) {
      if (event.author?.username !== this.context.me) continue;
      const own =
        this.#all.find((waiting) => waiting.id === event.id) ??
        this.#all.find((waiting) => !waiting.id && plain(waiting.text) === plain(event.text));
      if (own) this.#drop(own);
    }
  }

  /** @param {Waiting} waiting */
  async #try(waiting) {
    waiting.state = "sending";
    waiting.isUnknown = false;
    waiting.line.classList.remove("line-failed");
    const status = /** @type {HTMLElement} */ (waiting.line.querySelector(".line-state"));
    status.replaceChildren();
    const { text, nonce, replyTo } = waiting;
    const answer = await this.say(text, replyTo ? { reply_to: replyTo.id, nonce } : { nonce });
    if (!this.#all.includes(waiting)) return;
    if (answer.ok) {
      waiting.state = "sent";
      waiting.id = answer.id ?? null;
      if (!waiting.id || this.#isShown(waiting.id)) this.#drop(waiting);
      return;
    }
    waiting.state = "failed";
    waiting.line.classList.add("line-failed");
    waiting.isUnknown = UNKNOWN.includes(answer.error?.code ?? "");
    const again = make("button", "line-again", "Try again");
    again.type = "button";
    again.addEventListener("click", () => this.#try(waiting));
    const discard = make("button", "line-again", "Discard");
    discard.type = "button";
    discard.addEventListener("click", () => this.#drop(waiting));
    status.append(icon(this.context.icons, "circle-alert"), answer.error?.message ?? "Not sent.", " ", again, " ", discard);
    this.handlers.failed(answer, text);
  }

  /** @param {string} id */
  #isShown(id) {
    return this.list.parentElement?.querySelector(`[data-id="${CSS.escape(id)}"]`) !== null;
  }

  /** @param {Waiting} waiting */
  #drop(waiting) {
    waiting.line.remove();
    this.#all = this.#all.filter((other) => other !== waiting);
  }
}

/** As the server keeps it. @param {string} text */
function plain(text) {
  return text.normalize("NFC").trim();
}

/** Random and unique; crypto.randomUUID is for https alone. */
export function newNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
