/** What can be done with a line: by the tools beside it, by tap, by keys, through one menu. */

import { announce } from "./announce.js";
import { writeClipboard } from "./copy.js";
import { moderates } from "./chat-events.js";
import { icon, make } from "./chat-line.js";
import { openPopover, wireMenuKeys } from "./popover.js";

/** @typedef {{type: string, [key: string]: any}} Action */
/** @typedef {{label: string, symbol: string, key?: string, danger?: boolean, sure?: boolean, run: () => void}} Item */

const RANKS = ["viewer", "moderator", "owner", "admin"];
export const TIMEOUTS = /** @type {[number, string][]} */ ([
  [600, "10 minutes"],
  [3_600, "1 hour"],
  [86_400, "24 hours"],
]);

/** @param {string} actor @param {string} target roles */
export function outranks(actor, target) {
  return moderates(actor) && RANKS.indexOf(actor) > RANKS.indexOf(target);
}

/** @param {string} username @param {(action: Action) => void} act @returns {Item[]} */
export function restrictions(username, act) {
  return [
    ...TIMEOUTS.map(([seconds, length]) => ({
      label: `Time out for ${length}`,
      symbol: "timer",
      run: () => act({ type: "timeout", username, seconds, reason: "" }),
    })),
    { label: `Ban ${username}`, symbol: "ban", danger: true, sure: true, run: () => act({ type: "ban", username, reason: "" }) },
  ];
}

/** One button of a menu; what can't be taken back lightly asks once more in its own place.
 * @param {Item} item @param {string} icons @param {HTMLElement} menu */
export function menuItem(item, icons, menu) {
  const button = make("button", `button button-quiet${item.danger ? " button-danger" : ""}`);
  button.type = "button";
  button.setAttribute("role", menu.getAttribute("role") === "menu" ? "menuitem" : "button");
  const label = make("span", "", item.label);
  button.append(icon(icons, item.symbol), label);
  if (item.key) button.append(make("kbd", "", item.key));
  let asked = !item.sure;
  button.addEventListener("click", () => {
    if (!asked) {
      asked = true;
      label.textContent = "Press again to ban";
      return;
    }
    menu.hidePopover();
    item.run();
  });
  return button;
}

/** The form has a page of its own, so that the stream goes on here.
 * @param {"chat_line" | "user"} kind @param {string} id @returns {Item} */
export function report(kind, id) {
  const page = `/report?${new URLSearchParams({ kind, id })}`;
  return { label: "Report", symbol: "flag", run: () => open(page, "_blank", "noopener") };
}

export class LineMenu {
  /** @type {HTMLElement | null} */ #line = null;

  /**
   * @param {import("./chat-view.js").ChatView} view
   * @param {HTMLElement} menu popover with role="menu"
   * @param {HTMLElement} tools shown on the line under the pointer
   * @param {{role: () => string, canWrite: () => boolean, reply: (to: import("./chat-events.js").ReplyTo) => void,
   *   act: (action: Action) => void, card: (username: string, line: HTMLElement) => void}} handlers
   */
  constructor(view, menu, tools, handlers) {
    this.view = view;
    this.menu = menu;
    this.tools = tools;
    this.handlers = handlers;
    wireMenuKeys(menu);
    menu.addEventListener("toggle", (event) => {
      view.hold("menu", /** @type {ToggleEvent} */ (event).newState === "open");
    });
    view.lines.addEventListener("pointerover", (event) => this.#over(event));
    view.scroller.addEventListener("pointerleave", () => this.#hideTools());
    // not pointerenter: lines that move under a mouse at rest would hold themselves up
    tools.addEventListener("pointermove", () => view.hold("tools", true));
    tools.addEventListener("pointerleave", () => view.hold("tools", false));
    tools.addEventListener("click", (event) => this.#tool(event));
    view.lines.addEventListener("click", (event) => this.#click(event));
    view.lines.addEventListener("contextmenu", (event) => {
      const line = lineOf(event.target);
      if (!line || event.shiftKey || String(getSelection())) return;
      event.preventDefault();
      this.open(line, new DOMRect(event.clientX, event.clientY, 0, 0));
    });
    view.scroller.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {HTMLElement} line @param {DOMRect} [at] */
  open(line, at = line.getBoundingClientRect()) {
    const icons = this.view.context.icons;
    this.menu.replaceChildren(
      make("p", "menu-title", line.dataset.user),
      ...this.#items(line).map((item) => menuItem(item, icons, this.menu)),
    );
    openPopover(this.menu, at, line.matches(":focus") ? line : null);
    /** @type {HTMLElement | null} */ (this.menu.querySelector("[role=menuitem]"))?.focus();
  }

  /** @param {HTMLElement} line @returns {Item[]} */
  #items(line) {
    const { id = "", user = "", role = "viewer", text = "" } = line.dataset;
    const { act, card } = this.handlers;
    const mine = this.handlers.role();
    /** @type {Item[]} */
    const items = [];
    if (text && this.handlers.canWrite()) {
      items.push({ label: "Reply", symbol: "reply", key: "r", run: () => this.#reply(line) });
    }
    if (text) items.push({ label: "Copy text", symbol: "copy", key: "c", run: () => this.#copy(text) });
    items.push({ label: `About ${user}`, symbol: "user", key: "u", run: () => card(user, line) });
    if (id.startsWith("msg_") && user !== this.view.context.me) items.push(report("chat_line", id));
    if (!moderates(mine)) return items;
    if (text) items.push({ label: "Pin", symbol: "pin", key: "p", run: () => act({ type: "pin", id }) });
    const mayRemove = user === this.view.context.me || outranks(mine, role);
    if (text && mayRemove) {
      items.push({ label: "Remove", symbol: "trash-2", key: "Del", run: () => act({ type: "remove", id }) });
    }
    if (outranks(mine, role)) items.push(...restrictions(user, act));
    return items;
  }

  /** @param {HTMLElement} line */
  #reply(line) {
    const { id = "", user = "", text = "" } = line.dataset;
    this.handlers.reply({ id, username: user, text: text.slice(0, 100) });
  }

  /** @param {string} text */
  async #copy(text) {
    announce((await writeClipboard(text)) ? "Message copied" : "Copying is blocked here.");
  }

  /** @param {PointerEvent} event */
  #over(event) {
    const line = lineOf(event.target);
    if (event.pointerType !== "mouse" || !line || line === this.#line) return;
    this.#line = line;
    this.tools.hidden = false;
    const reply = /** @type {HTMLElement | null} */ (this.tools.querySelector("[data-tool=reply]"));
    const remove = /** @type {HTMLElement | null} */ (this.tools.querySelector("[data-tool=remove]"));
    if (reply) reply.hidden = !line.dataset.text || !this.handlers.canWrite();
    if (remove) {
      remove.hidden = !line.dataset.text || !outranks(this.handlers.role(), line.dataset.role ?? "");
    }
    line.append(this.tools);
  }

  #hideTools() {
    this.#line = null;
    this.tools.hidden = true;
    this.view.hold("tools", false);
  }

  /** @param {MouseEvent} event */
  #tool(event) {
    const button = /** @type {Element} */ (event.target).closest("button");
    const line = lineOf(this.tools);
    event.stopPropagation();
    if (!button || !line) return;
    const tool = button.dataset.tool;
    if (tool === "reply") this.#reply(line);
    else if (tool === "remove") this.handlers.act({ type: "remove", id: line.dataset.id });
    else this.open(line, button.getBoundingClientRect());
  }

  /** A name opens the card; on a touch screen the rest of a line opens its menu. @param {MouseEvent} event */
  #click(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const line = lineOf(target);
    if (!line || target.closest("a, button")) return;
    const name = /** @type {HTMLElement | null} */ (target.closest(".line-name"));
    if (name?.dataset.user) this.handlers.card(name.dataset.user, name);
    else if (/** @type {PointerEvent} */ (event).pointerType === "touch" && !String(getSelection())) {
      this.open(line);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const line = lineOf(target);
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      this.view.focusStep(event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "End") {
      event.preventDefault();
      this.view.scroller.focus();
      this.view.toBottom();
    } else if (line === target) this.#lineKey(event, line);
  }

  /** @param {KeyboardEvent} event @param {HTMLElement} line */
  #lineKey(event, line) {
    const opens = event.key === "Enter" || event.key === " " || event.key === "ContextMenu";
    if (opens) {
      event.preventDefault();
      this.open(line);
      return;
    }
    if (event.key === "Escape") {
      event.preventDefault();
      this.view.scroller.focus();
      return;
    }
    const key = event.key === "Delete" ? "Del" : event.key.toLowerCase();
    const item = this.#items(line).find((one) => one.key?.toLowerCase() === key.toLowerCase());
    if (!item) return;
    event.preventDefault();
    item.run();
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function lineOf(target) {
  return /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest(".line[data-id]"));
}
