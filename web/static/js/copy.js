/** Copying to the clipboard with feedback in the button that was pressed. */

import { announce } from "./announce.js";

const FEEDBACK_MS = 2000;

/** @param {string} text @param {HTMLInputElement | null} [field] */
export async function writeClipboard(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain http has no clipboard API: select the field and use the old command.
    const type = field?.type;
    const target = field ?? document.body.appendChild(document.createElement("input"));
    if (field) field.type = "text";
    else target.value = text;
    target.select();
    const done = document.execCommand("copy");
    if (field && type) field.type = type;
    if (!field) target.remove();
    return done;
  }
}

/**
 * @param {HTMLElement} button holds an svg <use> and a <span>
 * @param {string} text
 * @param {{done: string, field?: HTMLInputElement | null}} options
 */
export async function copyFrom(button, text, { done, field }) {
  const label = button.querySelector("span");
  const use = button.querySelector("use");
  if (!label || !use || button.dataset.busy) return;
  const copied = await writeClipboard(text, field);
  const before = { label: label.textContent, icon: use.getAttribute("href") ?? "" };
  button.dataset.busy = "1";
  label.textContent = copied ? "Copied" : "Press Ctrl+C";
  use.setAttribute("href", before.icon.replace(/#.*/, copied ? "#check" : "#keyboard"));
  announce(copied ? done : "Copying is blocked here. The text is selected.");
  setTimeout(() => {
    label.textContent = before.label;
    use.setAttribute("href", before.icon);
    delete button.dataset.busy;
  }, FEEDBACK_MS);
}

/** Shows and wires the copy buttons of copy fields. @param {ParentNode} [root] */
export function wireCopyFields(root = document) {
  for (const group of root.querySelectorAll("[data-copy]")) {
    const field = group.querySelector("input");
    const button = /** @type {HTMLElement | null} */ (group.querySelector("[data-copy-button]"));
    if (!field || !button) continue;
    const name = field.labels?.[0]?.textContent ?? "Text";
    button.hidden = false;
    button.addEventListener("click", () =>
      copyFrom(button, field.value, { done: `${name} copied`, field }),
    );
    field.addEventListener("focus", () => field.select());
  }
}
