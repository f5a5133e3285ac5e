/** The picker: channel emotes, site emotes, a few emoji. Loaded when somebody begins to write. */

import { emoteImage, make } from "./chat-line.js";

/** @typedef {import("./chat-events.js").Emote} Emote */

/** @type {[string, string][]} sign and name */
export const EMOJI = [
  ["😀", "grin"], ["😂", "joy"], ["🙂", "smile"], ["😉", "wink"], ["😍", "heart_eyes"], ["🥰", "loved"],
  ["😎", "cool"], ["🤔", "thinking"], ["😮", "wow"], ["😅", "sweat"], ["😢", "cry"], ["😭", "sob"],
  ["😡", "angry"], ["😴", "sleep"], ["🤯", "mind_blown"], ["🥳", "party"], ["🤗", "hug"], ["🙃", "upside_down"],
  ["👋", "wave"], ["👍", "thumbs_up"], ["👎", "thumbs_down"], ["👏", "clap"], ["🙏", "thanks"], ["💪", "strong"],
  ["👀", "eyes"], ["🎉", "tada"], ["🔥", "fire"], ["✨", "sparkles"], ["💯", "hundred"], ["❤️", "heart"],
  ["💜", "purple_heart"], ["💔", "broken_heart"], ["⭐", "star"], ["☕", "coffee"], ["🍵", "tea"], ["🎵", "music"],
  ["🎮", "game"], ["🎨", "art"], ["🚀", "rocket"], ["🌙", "moon"],
];

export class EmotePicker {
  /**
   * @param {HTMLElement} panel
   * @param {HTMLElement} opener
   * @param {() => Iterable<Emote>} emotes
   * @param {(text: string) => void} onChoose
   * @param {() => void} onClose
   */
  constructor(panel, opener, emotes, onChoose, onClose) {
    this.panel = panel;
    this.opener = opener;
    this.emotes = emotes;
    this.onClose = onClose;
    this.search = /** @type {HTMLInputElement} */ (panel.querySelector("input"));
    this.grid = /** @type {HTMLElement} */ (panel.querySelector(".picker-list"));
    this.search.addEventListener("input", () => this.#draw());
    panel.addEventListener("keydown", (event) => this.#key(event));
    this.grid.addEventListener("click", (event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest("button");
      if (!button) return;
      onChoose(button.value);
      if (!event.shiftKey) this.toggle(false);
    });
    document.addEventListener("pointerdown", (event) => {
      const inside = event.composedPath().some((one) => one === panel || one === opener);
      if (!inside && !panel.hidden) this.toggle(false, false);
    });
  }

  toggle(open = this.panel.hidden, giveBack = true) {
    this.panel.hidden = !open;
    this.opener.setAttribute("aria-expanded", String(open));
    if (open) {
      this.search.value = "";
      this.#draw();
      // a phone's keyboard would cover what is to be chosen from
      if (matchMedia("(hover: hover)").matches) this.search.focus();
    } else if (giveBack) this.onClose();
  }

  #draw() {
    const typed = this.search.value.trim().toLowerCase();
    const fits = (/** @type {string} */ name) => name.toLowerCase().includes(typed);
    const emotes = [...this.emotes()].filter((emote) => fits(emote.code));
    const own = emotes.filter((emote) => emote.channel);
    const site = emotes.filter((emote) => !emote.channel);
    const emoji = EMOJI.filter(([, name]) => fits(name));
    this.grid.replaceChildren(
      ...group("Channel", own.map((emote) => choice(`:${emote.code}:`, emote.code, emoteImage(emote)))),
      ...group("Site", site.map((emote) => choice(`:${emote.code}:`, emote.code, emoteImage(emote)))),
      ...group("Emoji", emoji.map(([sign, name]) => choice(sign, name, make("span", "emoji", sign)))),
    );
    if (!this.grid.children.length) this.grid.append(make("p", "hint", "Nothing has that name."));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.toggle(false);
      return;
    }
    const buttons = /** @type {HTMLElement[]} */ ([...this.grid.querySelectorAll("button")]);
    const here = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Enter" && event.target === this.search) {
      event.preventDefault();
      buttons[0]?.click();
      return;
    }
    if (here < 0 && event.key !== "ArrowDown") return;
    const across = Math.max(1, buttons.filter((one) => one.offsetTop === buttons[Math.max(0, here)].offsetTop).length);
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: here < 0 ? 1 : across, ArrowUp: -across };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (!step) return;
    event.preventDefault();
    const next = here + step;
    if (next < 0) this.search.focus();
    else buttons[Math.min(next, buttons.length - 1)].focus();
  }
}

/** @param {string} title @param {HTMLElement[]} choices @returns {HTMLElement[]} */
function group(title, choices) {
  if (!choices.length) return [];
  const grid = make("div", "picker-grid");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", title);
  grid.append(...choices);
  return [make("p", "picker-title", title), grid];
}

/** @param {string} value @param {string} name @param {HTMLElement} face */
function choice(value, name, face) {
  const button = make("button", "picker-choice");
  button.type = "button";
  button.value = value;
  button.title = name;
  button.setAttribute("aria-label", name);
  if (face instanceof HTMLImageElement) face.alt = "";
  button.append(face);
  return button;
}
