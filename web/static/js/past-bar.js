/** The bar over what can be rewound: from the earliest moment that is kept, on its left, to now. */

import { serverNowMs, setText, uptime } from "./format.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */

const TICK_MS = 500;
const SETTLE_MS = 250; // keys and wheels come in runs: only where they end is gone to
const LIVE_S = 5; // what is so close is live
const SHORTEST_S = 20; // with less to rewind there is no bar

/** @param {number} seconds */
function spoken(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds % 60);
  return `${minutes ? `${minutes} min ` : ""}${rest} s behind live`;
}

export class PastBar {
  /** @type {LiveView | undefined} */ #view;
  /** @type {number | undefined} */ #timer;
  /** @type {number | undefined} */ #settling;
  #held = false;

  /**
   * @param {HTMLElement} player
   * @param {() => number} behindS how far the picture is behind now
   * @param {(behindS: number) => void} go
   */
  constructor(player, behindS, go) {
    this.behindS = behindS;
    this.go = go;
    this.box = /** @type {HTMLElement | null} */ (player.querySelector("[data-past]"));
    this.range = /** @type {HTMLInputElement | null} */ (this.box?.querySelector("input") ?? null);
    this.label = this.box?.querySelector("output") ?? null;
    this.range?.addEventListener("input", () => {
      this.#held = true;
      this.#write(this.#chosenS());
      clearTimeout(this.#settling);
    });
    this.range?.addEventListener("change", () => {
      this.#held = true;
      clearTimeout(this.#settling);
      this.#settling = window.setTimeout(() => {
        this.#held = false;
        this.go(this.#chosenS());
      }, SETTLE_MS);
    });
  }

  /** @param {LiveView | undefined} view */
  show(view) {
    this.#view = view;
    if (!this.#timer && this.range) this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** How far one can go back now. */
  get lengthS() {
    const { dvr_url: url, dvr_window_s: windowS, started_at_ms: startMs } = this.#view ?? {};
    if (!url || !startMs) return 0;
    return Math.min(windowS ?? 0, Math.floor((serverNowMs() - startMs) / 1000));
  }

  #chosenS() {
    return Number(this.range?.max) - Number(this.range?.value);
  }

  #tick() {
    if (!this.box || !this.range) return;
    const length = this.lengthS;
    this.box.hidden = length < SHORTEST_S;
    if (this.box.hidden || this.#held) return;
    this.range.max = String(length);
    const behind = Math.min(length, Math.max(0, this.behindS()));
    this.range.value = String(behind < LIVE_S ? length : length - behind);
    this.#write(behind);
  }

  /** @param {number} behindS */
  #write(behindS) {
    const isLive = behindS < LIVE_S;
    this.box?.toggleAttribute("data-behind", !isLive);
    this.range?.setAttribute("aria-valuetext", isLive ? "Live" : spoken(behindS));
    setText(this.label, isLive ? "" : `−${uptime(0, behindS * 1000)}`);
  }
}
