/** What the player shows over its picture: the layer of a state, chips, and a still while the source
 * changes. */

import { setText } from "./format.js";
import { playerState } from "./live-state.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */
/** @typedef {import("./live-state.js").MediaState} MediaState */

const STATE_DELAY_MS = 400; // a shorter wait is not worth a spinner
const STILL_MS_MAX = 4_000;
const SAY_MS = 6_000;
const FULL = "As many people watch as this server can serve.";
const CODEC_NAMES = [
  [/hvc1|hev1|hevc|h\.?265/i, "HEVC", "Safari plays it, and Chrome or Edge where the machine decodes HEVC."],
  [/av01|av1/i, "AV1", "A current Chrome, Edge or Firefox plays it."],
  [/opus/i, "Opus", "A current Chrome, Edge or Firefox plays it."],
];

export class PlayerLayers {
  /** @type {number | undefined} */ #delayed;
  /** @type {HTMLCanvasElement | null} */ #still = null;
  /** @type {number | undefined} */ #stillTimer;
  /** @type {number | undefined} */ #saying;

  /** @param {HTMLElement} player @param {HTMLVideoElement} video @param {HTMLElement} controller */
  constructor(player, video, controller) {
    this.player = player;
    this.video = video;
    this.controller = controller;
  }

  /** @param {LiveView | undefined} view @param {MediaState} media */
  show(view, media) {
    const chip = /** @type {HTMLElement | null} */ (this.player.querySelector("[data-chip]"));
    if (chip) chip.hidden = !(view?.state === "reconnecting" && media === "playing");
    this.#backSoon(view);
    clearTimeout(this.#delayed);
    const state = playerState(view?.state ?? "offline", media);
    if (state === this.player.dataset.state) return;
    const apply = () => {
      this.player.dataset.state = state;
      this.player.dispatchEvent(new CustomEvent("player-state", { bubbles: true, detail: state }));
    };
    if (state === "buffering") this.#delayed = window.setTimeout(apply, STATE_DELAY_MS);
    else apply();
  }

  /** @param {number} waitMs @param {boolean} full the server takes no more viewers */
  retryIn(waitMs, full) {
    const title = this.player.querySelector('[data-layer="retrying"] .player-layer-title');
    const seconds = waitMs / 1000;
    const again = `Trying again in ${seconds} second${seconds > 1 ? "s" : ""}.`;
    setText(title, full ? "No place is free" : "The stream can’t be reached");
    setText(this.player.querySelector("[data-retry-text]"), full ? `${FULL} ${again}` : again);
  }

  /** A sentence over the picture, for a while. @param {string} text */
  say(text) {
    const line = /** @type {HTMLElement | null} */ (this.player.querySelector("[data-say]"));
    if (!line) return;
    clearTimeout(this.#saying);
    line.textContent = text;
    line.hidden = false;
    this.#saying = window.setTimeout(() => (line.hidden = true), SAY_MS);
  }

  /** The channel's own picture while its encoder is away. @param {LiveView | undefined} view */
  #backSoon(view) {
    const layer = /** @type {HTMLElement | null} */ (this.player.querySelector('[data-layer="reconnecting"]'));
    const url = view?.state === "reconnecting" ? view.back_soon_url : null;
    if (layer) layer.style.background = url ? `linear-gradient(#0009, #0009), url("${url}") 50% / cover` : "";
  }

  /** Names what this browser can't play. @param {string} codecs */
  unsupported(codecs) {
    const known = CODEC_NAMES.find(([pattern]) => /** @type {RegExp} */ (pattern).test(codecs));
    const title = this.player.querySelector('[data-layer="unsupported"] .player-layer-title');
    const text = this.player.querySelector("[data-unsupported-text]");
    if (!known || !title || !text) return;
    title.textContent = `This browser can’t play ${known[1]}`;
    text.textContent = `The streamer sends ${known[1]}. ${known[2]}`;
  }

  /** Holds the picture that is there, until the next source shows its first. */
  hold() {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || this.#still) return;
    const still = document.createElement("canvas");
    still.width = videoWidth;
    still.height = videoHeight;
    still.className = "player-still";
    still.slot = "poster";
    still.getContext("2d")?.drawImage(this.video, 0, 0);
    this.controller.append(still);
    this.#still = still;
    this.#stillTimer = window.setTimeout(() => this.release(), STILL_MS_MAX);
  }

  release() {
    clearTimeout(this.#stillTimer);
    this.#still?.remove();
    this.#still = null;
  }
}
