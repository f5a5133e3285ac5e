/**
 * Comments on the picture: the last lines of the chat, half transparent. By itself they show where
 * the chat is out of sight (full screen, chat hidden), as beside the chat they would say it twice.
 * The button in the player and in the chat's head switches them on or off for good.
 */

import { chatSettings, changeSettings } from "./chat-settings.js";
import { lineText, make, nameOf } from "./chat-line.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */

const LINES_MAX = 6;
const SHOWN_MS = 12_000;

export class Comments {
  /**
   * @param {HTMLElement} player
   * @param {HTMLElement} chat
   * @param {import("./chat-line.js").LineContext} context
   */
  constructor(player, chat, context) {
    this.player = player;
    this.chat = chat;
    this.context = context;
    this.layer = make("div", "comments");
    this.layer.setAttribute("aria-hidden", "true"); // said by the chat itself
    player.append(this.layer);
    for (const button of this.#buttons()) {
      button.addEventListener("click", () => this.toggle());
    }
    player.addEventListener("keydown", (event) => {
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      const target = /** @type {Element} */ (event.target);
      if (event.key !== "o" || !plain || target.closest("dialog, input, textarea")) return;
      event.preventDefault();
      this.toggle();
    });
    document.addEventListener("fullscreenchange", () => this.#show());
    document.addEventListener("chat-settings", () => this.#show());
    new ResizeObserver(() => this.#show()).observe(chat); // hidden: no size
    this.#show();
  }

  get areShown() {
    const { comments } = chatSettings();
    if (comments !== "auto") return comments === "on";
    return document.fullscreenElement === this.player || this.chat.offsetWidth === 0;
  }

  toggle() {
    changeSettings({ comments: this.areShown ? "off" : "on" });
  }

  /** @param {ChatEvent[]} events */
  add(events) {
    if (!this.areShown || document.hidden) return;
    for (const event of events.slice(-LINES_MAX)) {
      if (!event.author || event.removed || !["message", "announcement"].includes(event.kind)) continue;
      const line = make("p", "comment");
      line.dataset.comment = event.id;
      line.dataset.user = event.author.username;
      line.append(nameOf(event.author, this.context), " ", lineText(event.text, this.context));
      this.layer.append(line);
      setTimeout(() => line.remove(), SHOWN_MS);
    }
    while (this.layer.children.length > LINES_MAX) this.layer.firstElementChild?.remove();
  }

  /** @param {string[]} ids */
  remove(ids) {
    for (const line of /** @type {NodeListOf<HTMLElement>} */ (this.layer.querySelectorAll(".comment"))) {
      if (ids.includes(line.dataset.comment ?? "")) line.remove();
    }
  }

  clear() {
    this.layer.replaceChildren();
  }

  #show() {
    const shown = this.areShown;
    this.layer.hidden = !shown;
    if (!shown) this.clear();
    for (const button of this.#buttons()) button.setAttribute("aria-pressed", String(shown));
  }

  #buttons() {
    return /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button[data-comments]"));
  }
}
