/** Suggestions while typing: @name, /command and :emote:, by keyboard or pointer. Loaded when
 *  somebody begins to write. */

import { emoteImage, make } from "./chat-line.js";

/**
 * @typedef {{insert: string, label: string, detail?: string, picture?: Node}} Option
 * @typedef {(start: string, typed: string) => Option[]} Find for one of @ / :
 */

const SHOWN_MAX = 8;
const WORD = /(?:^|\s)([@:][a-z0-9_]*|\/[a-z]*)$/i;

export class Suggestions {
  /** @type {Option[]} */ #options = [];
  #active = 0;
  #from = 0;

  /**
   * @param {HTMLTextAreaElement} field
   * @param {HTMLElement} list role="listbox"
   * @param {Find} find
   */
  constructor(field, list, find) {
    this.field = field;
    this.list = list;
    this.find = find;
    field.addEventListener("input", () => this.#look());
    field.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    field.addEventListener("blur", () => this.close());
    list.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the field keeps the focus
      const option = /** @type {HTMLElement} */ (event.target).closest("[role=option]");
      if (option) this.#take([...list.children].indexOf(option));
    });
    if (document.activeElement === field) this.#look(); // what was typed while this was loaded
  }

  close() {
    this.list.hidden = true;
    this.#options = [];
    this.field.removeAttribute("aria-activedescendant");
  }

  #look() {
    const { selectionStart: at, selectionEnd: end, value } = this.field;
    const word = at === end ? (WORD.exec(value.slice(0, at))?.[1] ?? "") : "";
    const start = word[0] ?? "";
    this.#from = at - word.length;
    const asks = start === "/" ? this.#from === 0 : start === "@" || word.length > 2;
    this.#options = word && asks ? this.find(start, word.slice(1).toLowerCase()).slice(0, SHOWN_MAX) : [];
    if (this.#options.length === 1 && this.#options[0].insert === word) this.#options = [];
    if (this.#options.length === 0) return this.close();
    this.#active = 0;
    this.#show();
  }

  #show() {
    this.list.replaceChildren(
      ...this.#options.map((option, index) => {
        const row = make("div", "suggestion");
        row.id = `${this.list.id}-${index}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", String(index === this.#active));
        if (option.picture) row.append(option.picture);
        row.append(make("span", "suggestion-label", option.label));
        if (option.detail) row.append(make("span", "suggestion-detail", option.detail));
        return row;
      }),
    );
    this.list.hidden = false;
    this.field.setAttribute("aria-activedescendant", `${this.list.id}-${this.#active}`);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.list.hidden || event.isComposing) return;
    const count = this.#options.length;
    const typed = this.field.value.slice(this.#from, this.field.selectionStart);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.#active = (this.#active + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
      this.#show();
    } else if (event.key === "Tab" && !event.shiftKey) this.#take(this.#active);
    else if (event.key === "Enter" && this.#options[this.#active].insert !== typed) {
      this.#take(this.#active);
    } else if (event.key === "Escape") this.close();
    else {
      if (event.key === "Enter") this.close();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} index */
  #take(index) {
    const option = this.#options[index];
    if (!option) return;
    this.field.setRangeText(`${option.insert} `, this.#from, this.field.selectionStart, "end");
    this.close();
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** What there is to suggest in a chat.
 * @param {{names: () => string[], commands: () => import("./chat-events.js").Command[],
 *   emotes: () => Iterable<import("./chat-events.js").Emote>, emoji: () => [string, string][]}} known
 * @returns {Find} */
export function suggestionsFrom(known) {
  return (start, typed) => {
    if (start === "@") {
      return known
        .names()
        .filter((name) => name.startsWith(typed))
        .map((name) => ({ insert: `@${name}`, label: `@${name}` }));
    }
    if (start === "/") {
      return known
        .commands()
        .map((command) => ({ ...command, name: command.name.replace(/^\//, "") }))
        .filter((command) => command.name.startsWith(typed))
        .map(({ name, usage, help }) => ({
          insert: `/${name}`,
          label: usage.startsWith("/") ? usage : `/${name} ${usage}`.trim(),
          detail: help,
        }));
    }
    const emotes = [...known.emotes()].map((emote) => ({
      insert: `:${emote.code}:`,
      label: emote.code,
      picture: emoteImage(emote),
    }));
    const emoji = known.emoji().map(([sign, name]) => ({
      insert: sign,
      label: name,
      picture: make("span", "emoji", sign),
    }));
    const begins = (/** @type {Option} */ option) => !option.label.toLowerCase().startsWith(typed);
    return [...emotes, ...emoji]
      .filter((option) => option.label.toLowerCase().includes(typed))
      .sort((a, b) => Number(begins(a)) - Number(begins(b)));
  };
}
