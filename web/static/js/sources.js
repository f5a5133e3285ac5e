/** What plays in the <video>: instant playback, or HLS when it can't, fails or isn't wanted, or what
 * is kept of the past. Changes from one to the other; the player decides what is shown meanwhile. */

import { InstantSource } from "./instant-source.js";
import { Ways } from "./ways.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */
/** @typedef {import("./hls-source.js").SourceFailure} SourceFailure */

const SWITCH_BEHIND_S = 1; // who comes from HLS misses less this way
const LIVE_EDGE_S = 3;
const ASK_AGAIN_MS = 4_000;

/**
 * @typedef {object} Hooks
 * @property {() => LiveView | undefined} view
 * @property {() => boolean} isWatched whether the picture moves at the live moment, on a visible page
 * @property {() => void} onReady it can play
 * @property {() => void} onLevels
 * @property {() => void} onEnd the playlist has come to its end
 * @property {(failure: SourceFailure) => void} onFailure of HLS
 * @property {() => void} onNone this browser plays neither
 * @property {() => void} onStall
 * @property {() => void} onReload the source has come to its end: load anew
 * @property {() => void} onSwitch another source is about to take over
 * @property {(text: string) => void} onSay what the viewer should know
 * @property {(momentMs: number) => void} onPast the past has come to its end: load it anew from there
 */

export class Sources {
  /** @type {any} InstantSource, HlsSource, NativeSource or DvrSource */ current = null;
  ways = new Ways();
  /** @type {InstantSource | null} that may take over from HLS */ #candidate = null;
  /** @type {number | undefined} */ #comeback;
  #loads = 0;

  /** @param {HTMLVideoElement} video @param {HTMLElement} controller @param {boolean} preview
   * @param {Hooks} hooks */
  constructor(video, controller, preview, hooks) {
    this.video = video;
    this.controller = controller;
    this.preview = preview;
    this.hooks = hooks;
  }

  get mayInstant() {
    const view = this.hooks.view();
    return !!view && this.ways.mayInstant(view);
  }

  /** Plays what is live now; with `behindS` by HLS and so far back. @param {number} behindS */
  load(behindS) {
    this.unload();
    if (!behindS && this.mayInstant) this.#use(this.#instant(0));
    else void this.#loadHls(behindS);
  }

  /** Plays what the server keeps of the past. @param {number} momentMs time of day */
  loadPast(momentMs) {
    this.unload();
    void this.#loadDvr(momentMs);
  }

  unload() {
    clearTimeout(this.#comeback);
    this.#loads += 1;
    this.#candidate?.destroy();
    this.#candidate = null;
    this.current?.destroy();
    this.current = null;
  }

  /** The viewer's choice. @param {import("./ways.js").Choice} choice
   * @returns {boolean} whether another source is needed */
  choose(choice) {
    this.ways.choose(choice);
    const wanted = this.mayInstant ? "instant" : "hls";
    const way = this.current?.way;
    return !!way && way !== "native" && way !== "dvr" && way !== wanted;
  }

  /** @param {number} behindS @returns {InstantSource} */
  #instant(behindS) {
    const url = this.hooks.view()?.instant_url ?? "";
    const source = new InstantSource(this.video, url, { preview: this.preview, behindS }, {
      onReady: () => {
        if (source === this.#candidate) this.#takeOver(source);
      },
      onPlaced: () => this.hooks.onReady(),
      onTrouble: () => this.#troubled(source),
      onOtherTracks: () => {
        if (source === this.current) this.hooks.onReload();
      },
      onStall: () => this.hooks.onStall(),
    });
    return source;
  }

  /** @param {InstantSource} source */
  #use(source) {
    this.current = source;
    this.ways.began();
    this.controller.setAttribute("liveedgeoffset", String(LIVE_EDGE_S));
    source.attach();
  }

  /** Instant playback doesn't work: HLS takes over, and later it is tried again.
   * @param {InstantSource} source */
  #troubled(source) {
    if (source !== this.#candidate && source !== this.current) return;
    const pause = this.ways.troubled();
    if (source === this.current) {
      this.hooks.onReload();
    } else {
      source.destroy();
      this.#candidate = null;
    }
    this.#comeBackIn(pause);
  }

  /** @param {number} waitMs */
  #comeBackIn(waitMs) {
    clearTimeout(this.#comeback);
    this.#comeback = window.setTimeout(() => this.#comeBack(), waitMs);
  }

  /** Opens instant playback beside HLS, which plays on until there is a picture. */
  #comeBack() {
    if (this.current?.way === "instant" || this.#candidate) return;
    if (this.hooks.isWatched() && this.mayInstant) this.#candidate = this.#instant(SWITCH_BEHIND_S);
    else this.#comeBackIn(ASK_AGAIN_MS);
  }

  /** @param {InstantSource} source */
  #takeOver(source) {
    this.#candidate = null; // so that unloading doesn't end it
    this.hooks.onSwitch();
    this.unload();
    this.#use(source);
  }

  /** @param {number} behindS */
  async #loadHls(behindS) {
    const load = this.#loads;
    const { HlsSource, NativeSource, playback } = await import("./hls-source.js");
    const url = this.hooks.view()?.playlist_url;
    if (load !== this.#loads || !url) return;
    const way = playback();
    if (way === "none") {
      this.hooks.onNone();
    } else if (way === "native") {
      this.current = new NativeSource(this.video, this.controller, url);
      this.hooks.onReady();
    } else {
      const options = { preview: this.preview, behindS };
      this.current = new HlsSource(this.video, this.controller, url, options, {
        onLevels: () => {
          this.hooks.onLevels();
          this.hooks.onReady();
        },
        onEnd: () => this.hooks.onEnd(),
        onFailure: (/** @type {SourceFailure} */ failure) => this.hooks.onFailure(failure),
        onRecovered: () => this.hooks.onReady(),
        onStall: () => this.hooks.onStall(),
      });
    }
  }

  /** @param {number} momentMs */
  async #loadDvr(momentMs) {
    const load = this.#loads;
    const { DvrSource } = await import("./dvr-source.js");
    const url = this.hooks.view()?.dvr_url;
    if (load !== this.#loads || !url) return;
    const source = new DvrSource(this.video, url, { preview: this.preview, momentMs }, {
      onPlaced: () => this.hooks.onReady(),
      onBeyond: (over) => {
        this.hooks.onSay("That moment is no longer kept. This is the earliest one.");
        if (over && source === this.current) this.hooks.onPast(0);
      },
      onGone: () => {
        if (source !== this.current) return;
        this.hooks.onSay("The past of this stream is gone. This is live.");
        this.hooks.onReload();
      },
      onStall: () => this.hooks.onStall(),
    });
    this.current = source;
  }
}
