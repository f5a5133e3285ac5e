/** The player's settings panel, its stream details and its list of keys. */

import { setText } from "./format.js";

const STATS_MS = 500;
/** @type {Record<string, string>} */
const WAYS = { instant: "Instant", hls: "Low latency (HLS)", native: "HLS", dvr: "DVR (HLS)" };

/**
 * @typedef {object} Details what the details panel shows
 * @property {string} way
 * @property {number} delayMs
 * @property {number} targetS
 * @property {number} bufferS
 * @property {string} codecs
 * @property {number} stalls
 */

export class PlayerPanel {
  /** @type {number | undefined} */ #timer;

  /**
   * @param {HTMLElement} player
   * @param {HTMLVideoElement} video
   * @param {() => Details} details
   * @param {{level: (level: number) => void, way: (choice: any) => void}} choose level -1 is
   *   automatic
   */
  constructor(player, video, details, choose) {
    this.player = player;
    this.video = video;
    this.details = details;
    this.choose = choose;
    this.panel = /** @type {HTMLElement | null} */ (player.querySelector(".player-panel"));
    this.stats = /** @type {HTMLElement | null} */ (player.querySelector(".player-stats"));
    this.help = /** @type {HTMLDialogElement | null} */ (player.querySelector(".player-help"));
    this.panel?.querySelectorAll('[name="way"]').forEach((input) => {
      input.addEventListener("change", () => choose.way(/** @type {HTMLInputElement} */ (input).value));
    });
    this.opener = player.querySelector('[data-action="panel"]');
    player.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.panel && !this.panel.hidden) this.toggle();
    });
    document.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      const outside = !target.closest(".player-panel, [data-action=panel]");
      if (this.panel && !this.panel.hidden && outside) this.toggle();
    });
  }

  toggle() {
    if (!this.panel) return;
    this.panel.hidden = !this.panel.hidden;
    this.opener?.setAttribute("aria-expanded", String(!this.panel.hidden));
    // the bar must not fade away under an open panel
    this.player.querySelector("media-controller")?.toggleAttribute("noautohide", !this.panel.hidden);
    if (this.panel.hidden) /** @type {HTMLElement | null} */ (this.opener)?.focus();
    else /** @type {HTMLElement | null} */ (this.panel.querySelector("input, button"))?.focus();
  }

  toggleStats() {
    if (!this.stats) return;
    this.stats.hidden = !this.stats.hidden;
    clearInterval(this.#timer);
    if (this.stats.hidden) return;
    this.#showStats();
    this.#timer = window.setInterval(() => this.#showStats(), STATS_MS);
  }

  showHelp() {
    if (this.help && !this.help.open) this.help.showModal();
  }

  /** @param {string} choice */
  showWay(choice) {
    const input = this.panel?.querySelector(`[name="way"][value="${choice}"]`);
    if (input) /** @type {HTMLInputElement} */ (input).checked = true;
  }

  /** @param {{index: number, label: string}[]} levels @param {number} chosen */
  showLevels(levels, chosen) {
    const group = this.panel?.querySelector("[data-quality]");
    if (!group) return;
    group.hidden = levels.length < 2;
    group.querySelectorAll("label").forEach((label) => label.remove());
    if (group.hidden) return;
    for (const { index, label } of [{ index: -1, label: "Automatic" }, ...levels]) {
      const row = document.createElement("label");
      const input = document.createElement("input");
      input.type = "radio";
      input.name = "quality";
      input.checked = index === chosen;
      input.addEventListener("change", () => this.choose.level(index));
      row.append(input, label);
      group.append(row);
    }
  }

  #showStats() {
    const { way, delayMs, targetS, bufferS, codecs, stalls } = this.details();
    const quality = this.video.getVideoPlaybackQuality?.();
    const { videoWidth, videoHeight } = this.video;
    /** @type {Record<string, string>} */
    const rows = {
      way: WAYS[way] ?? "–",
      delay: `${(delayMs / 1000).toFixed(2)} s, aims at ${targetS.toFixed(2)} s`,
      buffer: `${bufferS.toFixed(2)} s`,
      picture: videoWidth ? `${videoWidth} × ${videoHeight}` : "none",
      codecs: codecs || "unknown",
      dropped: quality
        ? `${quality.droppedVideoFrames} of ${quality.totalVideoFrames.toLocaleString("en")}`
        : "unknown",
      stalls: String(stalls),
      speed: `${this.video.playbackRate.toFixed(2)} ×`,
    };
    for (const [key, text] of Object.entries(rows)) {
      setText(this.stats?.querySelector(`[data-stat="${key}"]`) ?? null, text);
    }
  }
}
