/** Menus and cards above the page, beside what opened them; on a phone at the bottom edge. */

const GAP_PX = 6;
const EDGE_PX = 8;

/** Puts `box` beside `anchor` and inside the window. @param {HTMLElement} box @param {DOMRect} anchor */
export function placePopover(box, anchor) {
  box.removeAttribute("style");
  if (matchMedia("(max-width: 40rem)").matches) return; // chat.css puts it at the bottom
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = anchor.bottom + GAP_PX + height <= innerHeight - EDGE_PX;
  const top = below ? anchor.bottom + GAP_PX : anchor.top - GAP_PX - height;
  const left = Math.min(anchor.left, innerWidth - width - EDGE_PX);
  box.style.insetBlockStart = `${Math.max(EDGE_PX, Math.min(top, innerHeight - height - EDGE_PX))}px`;
  box.style.insetInlineStart = `${Math.max(EDGE_PX, left)}px`;
}

/** Opens `box` (popover="auto") beside `anchor`. Closed, it gives the focus back.
 * @param {HTMLElement} box @param {DOMRect} anchor @param {HTMLElement | null} giveBack */
export function openPopover(box, anchor, giveBack) {
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
  placePopover(box, anchor);
  box.addEventListener(
    "toggle",
    (event) => {
      const closed = /** @type {ToggleEvent} */ (event).newState === "closed";
      if (closed && giveBack?.isConnected && box.contains(document.activeElement)) giveBack.focus();
    },
    { once: true },
  );
}

/** Arrow keys, Home and End walk through the buttons of a menu. @param {HTMLElement} menu */
export function wireMenuKeys(menu) {
  menu.addEventListener("keydown", (event) => {
    const items = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll("[role=menuitem]")]);
    const here = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const count = items.length;
    const to = {
      ArrowDown: (here + 1) % count,
      ArrowUp: (here + count - 1) % count,
      Home: 0,
      End: count - 1,
    }[event.key];
    if (event.key === "Tab") menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items[to]?.focus();
  });
}
