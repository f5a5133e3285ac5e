/** Tipping without leaving the stream: the page of the tip in a dialog, sent over the API. */

import { announce } from "./announce.js";

const FIELDS = ["choice", "amount", "message", "anonymous"];

/** Minor units of what was typed, or null. @param {string} text @param {number} exponent */
function minorOf(text, exponent) {
  const match = /^(\d{1,13})(?:\.(\d{1,6}))?$/.exec(text.trim());
  const part = (match?.[2] ?? "").replace(/0+$/, "");
  if (!match || part.length > exponent) return null;
  return Number(match[1]) * 10 ** exponent + Number(part.padEnd(exponent, "0") || "0");
}

class TipDialog {
  /** @param {HTMLElement} section @param {HTMLElement} opener */
  constructor(section, opener) {
    this.section = section;
    this.slug = section.dataset.tip ?? "";
    this.form = section.querySelector("form");
    this.dialog = document.createElement("dialog");
    this.dialog.className = "dialog tip-dialog";
    this.dialog.setAttribute("aria-labelledby", "tip-title");
    this.dialog.append(section, this.closer());
    this.dialog.addEventListener("close", () => {
      this.dialog.remove();
      opener.focus();
    });
    section.querySelector("[data-close]")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.dialog.close();
    });
    this.form?.addEventListener("input", ({ target }) => {
      this.chooseOne(/** @type {HTMLInputElement} */ (target));
      this.show();
    });
    this.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.give();
    });
    this.show();
  }

  closer() {
    const button = document.createElement("button");
    button.className = "button button-quiet button-icon tip-close";
    button.type = "button";
    button.setAttribute("aria-label", "Close");
    button.textContent = "×";
    button.addEventListener("click", () => this.dialog.close());
    return button;
  }

  open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    /** @type {HTMLElement | null} */ (this.section.querySelector("#tip-title"))?.focus();
  }

  /** @param {string} name */
  value(name) {
    const value = this.form ? new FormData(this.form).get(name) : null;
    return typeof value === "string" ? value : "";
  }

  /** The amount as it would be sent. */
  amount() {
    const exponent = Number(this.form?.dataset.exponent);
    return minorOf(this.value("amount") || this.value("choice"), exponent);
  }

  /** An amount is chosen or typed, never both. @param {HTMLInputElement} changed */
  chooseOne(changed) {
    const own = /** @type {HTMLInputElement | null} */ (this.form?.querySelector("[name=amount]"));
    const chosen = /** @type {HTMLInputElement | null} */ (this.form?.querySelector("[name=choice]:checked"));
    if (changed === own && own?.value && chosen) chosen.checked = false;
    if (changed.name === "choice" && own) own.value = "";
  }

  /** What is left to write, what it costs, and whether the wallet has it. */
  show() {
    if (!this.form) return;
    const typed = this.form.querySelector("textarea");
    const counter = this.form.querySelector("[data-counter]");
    const give = this.form.querySelector("[data-give]");
    if (typed && counter) counter.textContent = `${[...typed.value].length} of ${typed.maxLength}`;
    const minor = this.amount();
    const { symbol = "", exponent = "2", balancePlain = "0" } = this.form.dataset;
    const balance = minorOf(balancePlain, Number(exponent)) ?? 0;
    const shown = minor === null ? "" : (minor / 10 ** Number(exponent)).toFixed(Number(exponent));
    if (give) give.textContent = minor === null ? "Give the tip" : `Give ${symbol}${shown}`;
    if (minor !== null && minor > balance) this.fail("Your wallet doesn’t have that much.", true);
    else this.fail("");
  }

  /** @param {string} message @param {boolean} lacks */
  fail(message, lacks = false) {
    const box = /** @type {HTMLElement} */ (this.section.querySelector("[data-error]"));
    const add = /** @type {HTMLAnchorElement} */ (this.section.querySelector("[data-add]"));
    const text = /** @type {HTMLElement} */ (this.section.querySelector("[data-error-text]"));
    box.hidden = !message;
    if (text.textContent !== message) text.textContent = message;
    add.hidden = !lacks;
    if (lacks) add.href = this.addUrl();
  }

  /** To the wallet and back, with everything that was typed. */
  addUrl() {
    const kept = new URLSearchParams();
    for (const name of FIELDS) if (this.value(name)) kept.set(name, this.value(name));
    return `/wallet?next=${encodeURIComponent(`/@${this.slug}/tip?${kept}`)}#add`;
  }

  async give() {
    const button = /** @type {HTMLButtonElement} */ (this.form?.querySelector("button"));
    const minor = this.amount();
    if (minor === null) return this.fail("Write an amount such as 5 or 12.50.");
    button.disabled = true;
    try {
      const answer = await fetch(`/api/v1/channels/${this.slug}/tips`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": this.value("key") },
        body: JSON.stringify({
          amount_minor: minor,
          message: this.value("message"),
          anonymous: this.value("anonymous") === "1",
        }),
      });
      const told = await answer.json();
      if (answer.ok) this.thank(told);
      else if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(`/@${this.slug}/tip`)}`;
      else if (told.error.code === "idempotency_key") this.fail("An earlier try went through after all. Your wallet shows it.");
      else this.fail(told.error.message, told.error.code === "insufficient_funds");
    } catch {
      this.fail("That did not get through. Try again: it is given only once.");
    }
    button.disabled = false;
  }

  /** @param {{id: string, amount: string, channel_name: string}} given */
  thank(given) {
    const title = document.createElement("h1");
    const words = document.createElement("p");
    const receipt = document.createElement("a");
    title.id = "tip-title";
    title.tabIndex = -1;
    title.textContent = "Thank you";
    words.textContent = `${given.channel_name} has your tip of ${given.amount}. `;
    receipt.href = `/receipts/${given.id}`;
    receipt.textContent = "See the receipt";
    words.append(receipt);
    this.section.replaceChildren(title, words);
    title.focus();
    announce(`Your tip of ${given.amount} is given`);
    void showBalance();
  }
}

async function showBalance() {
  const answer = await fetch("/api/v1/wallet").catch(() => null);
  if (!answer?.ok) return;
  const { balance } = await answer.json();
  const shown = document.querySelector(".site-header [data-balance]");
  if (shown) shown.textContent = balance;
  shown?.closest("a")?.setAttribute("aria-label", `Wallet: ${balance}`);
}

/** The look comes with the page. @param {Document} found */
function adoptStyle(found) {
  const style = found.querySelector('link[href*="money.css"]');
  const href = style?.getAttribute("href");
  if (!href || document.querySelector(`link[href="${href}"]`)) return null;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  return new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve);
    document.head.append(link);
  });
}

/** @param {HTMLAnchorElement} link */
export async function openTip(link) {
  const answer = await fetch(link.href);
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  const section = found.querySelector("[data-tip]");
  if (!answer.ok || !section) throw new Error(`status ${answer.status}`);
  await adoptStyle(found);
  new TipDialog(/** @type {HTMLElement} */ (document.adoptNode(section)), link).open();
}
