/** Which way to play: instant while it works, else HLS. Remembers the viewer's choice and, for the
 * page's life, that instant playback made trouble. */

import { playsInstant } from "./instant-source.js";

/** @typedef {"auto" | "instant" | "hls"} Choice */

const KEY = "playback";
const PAUSES_MS = [5_000, 20_000, 60_000, 300_000];
const GOOD_MS = 60_000;

export class Ways {
  #troubles = 0;
  #notBefore = 0;
  #began = 0;
  /** @type {Choice} */ choice = "auto";

  constructor() {
    try {
      const kept = localStorage.getItem(KEY);
      if (kept === "instant" || kept === "hls") this.choice = kept;
    } catch {
      // storage is blocked: the default
    }
  }

  /** @param {Choice} choice */
  choose(choice) {
    this.choice = choice;
    this.#troubles = this.#notBefore = 0;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // the choice lasts as long as the page
    }
  }

  /** @param {import("./live-state.js").LiveView} view */
  mayInstant(view) {
    return (
      this.choice !== "hls" &&
      !!view.instant_url &&
      performance.now() >= this.#notBefore &&
      playsInstant(view.video_codec, view.audio_codec)
    );
  }

  /** Instant playback begins. */
  began() {
    this.#began = performance.now();
  }

  /** It failed. @returns {number} milliseconds until it may be tried again */
  troubled() {
    const now = performance.now();
    if (this.#began && now - this.#began > GOOD_MS) this.#troubles = 0;
    const pause = PAUSES_MS[Math.min(this.#troubles, PAUSES_MS.length - 1)];
    this.#troubles += 1;
    this.#began = 0;
    this.#notBefore = now + pause;
    return pause;
  }
}
