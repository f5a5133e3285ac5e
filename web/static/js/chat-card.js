/** The card of a person: who they are here, and what a moderator may do. Loaded on first use. */

import { clockTime } from "./format.js";
import { moderates } from "./chat-events.js";
import { make } from "./chat-line.js";
import { menuItem, outranks, report, restrictions } from "./chat-menu.js";
import { openPopover, placePopover } from "./popover.js";

/** @typedef {import("./chat-menu.js").Item} Item */
/** @typedef {import("./chat-menu.js").Action} Action */

const ROLE_NAMES = { owner: "Streamer", moderator: "Moderator", admin: "Site admin", viewer: "" };

export class UserCard {
  #asked = 0;

  /**
   * @param {HTMLElement} box popover
   * @param {string} icons
   * @param {{me: () => string | null, role: () => string, canWrite: () => boolean, ask: (username: string) => Promise<any>,
   *   act: (action: Action) => void, mention: (username: string) => void}} handlers
   */
  constructor(box, icons, handlers) {
    this.box = box;
    this.icons = icons;
    this.handlers = handlers;
  }

  /** @param {string} username @param {HTMLElement} anchor */
  async open(username, anchor) {
    const asked = ++this.#asked;
    const title = make("h3", "card-name", username);
    title.id = `${this.box.id}-name`;
    title.tabIndex = -1;
    const facts = make("p", "hint", "One moment");
    this.box.replaceChildren(title, facts);
    this.box.setAttribute("aria-labelledby", title.id);
    const giveBack = anchor.tabIndex >= -1 && anchor.matches(".line:focus") ? anchor : null;
    const place = anchor.getBoundingClientRect();
    openPopover(this.box, place, giveBack);
    title.focus();
    const answer = await this.handlers.ask(username);
    if (asked !== this.#asked || !this.box.isConnected) return;
    if (!answer.ok) {
      facts.textContent = answer.error?.message ?? "Nothing is known right now.";
      return;
    }
    const card = answer.card ?? answer;
    if (card.avatar_url) title.prepend(avatar(card.avatar_url));
    facts.replaceWith(...profile(card), ...this.#facts(card), ...this.#actions(username, card));
    placePopover(this.box, place);
  }

  /** @param {any} card @returns {HTMLElement[]} */
  #facts(card) {
    const role = ROLE_NAMES[/** @type {keyof typeof ROLE_NAMES} */ (card.role)];
    const lines = [
      role,
      card.follows_since_ms ? `Follows since ${day(card.follows_since_ms)}` : "",
      card.joined_at_ms ? `Here since ${day(card.joined_at_ms)}` : "",
      typeof card.lines === "number" ? `${card.lines.toLocaleString("en")} message${card.lines === 1 ? "" : "s"} here` : "",
      restrictionText(card.restriction),
    ].filter(Boolean);
    return lines.map((line) => make("p", "hint", line));
  }

  /** @param {string} username @param {any} card @returns {HTMLElement[]} */
  #actions(username, card) {
    const { act, mention } = this.handlers;
    const mine = this.handlers.role();
    const isMe = username === this.handlers.me();
    /** @type {Item[]} */
    const items = [];
    if (!isMe && this.handlers.canWrite()) {
      items.push({ label: `Mention ${username}`, symbol: "at-sign", run: () => mention(username) });
    }
    if (!isMe && outranks(mine, card.role)) {
      const kind = card.restriction?.kind;
      if (kind === "ban") items.push({ label: "Lift the ban", symbol: "undo-2", run: () => act({ type: "unban", username }) });
      else {
        if (kind) items.push({ label: "End the time-out", symbol: "undo-2", run: () => act({ type: "untimeout", username }) });
        items.push(...restrictions(username, act));
      }
      if (mine !== "moderator" && moderates(mine)) {
        const isModerator = card.role === "moderator";
        items.push({
          label: isModerator ? "Take moderation away" : "Make moderator",
          symbol: isModerator ? "shield-off" : "shield",
          run: () => act({ type: isModerator ? "remove_moderator" : "add_moderator", username }),
        });
      }
    }
    if (!isMe) items.push(report("user", username));
    return items.map((item) => menuItem(item, this.icons, this.box));
  }
}

/** @param {string} url */
function avatar(url) {
  const picture = make("img", "avatar avatar-small");
  Object.assign(picture, { src: url, alt: "" });
  return picture;
}

/** What people say of themselves. @param {any} card @returns {HTMLElement[]} */
function profile(card) {
  const about = card.about ? [make("p", "prose", card.about)] : [];
  const links = (card.links ?? []).map((/** @type {{name: string, url: string}} */ link) => {
    const place = make("a", "", link.name);
    Object.assign(place, { href: link.url, target: "_blank", rel: "nofollow ugc noopener noreferrer" });
    const line = make("p", "hint", "");
    line.append(place);
    return line;
  });
  return [...about, ...links];
}

/** @param {number} atMs */
function day(atMs) {
  return new Date(atMs).toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
}

/** @param {any} restriction */
function restrictionText(restriction) {
  if (!restriction) return "";
  if (restriction.kind === "ban") return "Banned from this chat";
  const until = restriction.until_ms;
  if (!until) return "Timed out";
  return `Timed out until ${clockTime(new Date(until))}`;
}
