/** The past of a live stream in one <video>: hls.js on the playlist of what is kept on disk. Places
 * are moments of the day, as the playlist dates its segments. Knows no page. */

import Hls from "../vendor/hls/hls.light.min.js";
import { serverNowMs } from "./format.js";

const MARGIN_S = 8; // from the window's start, which moves on as fast as the picture
const CONFIG = {
  enableWorker: false, // fMP4 passes through: nothing to demux
  lowLatencyMode: false,
  liveDurationInfinity: true,
  backBufferLength: 60,
  maxBufferLength: 20,
};

/** What the player asks of a source's time, for one that is behind and stays there. */
class Past {
  follow = false;

  /** @param {DvrSource} source */
  constructor(source) {
    this.source = source;
  }

  get delayMs() {
    return Math.max(0, Math.round(serverNowMs() - this.source.momentMs));
  }

  get behindEdgeS() {
    return this.delayMs / 1000;
  }

  get targetS() {
    return this.behindEdgeS;
  }

  /** @returns {boolean} never: the player decides where a step leads */
  step() {
    return false;
  }

  toEdge() {}
}

export class DvrSource {
  way = "dvr";
  sleeping = false;
  latency = new Past(this);
  /** @type {{index: number, label: string}[]} */ levels = [];
  /** @type {any} LevelDetails of hls.js */ #details = null;
  #over = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {string} url
   * @param {{preview: boolean, momentMs: number}} options where to begin
   * @param {{onPlaced: () => void, onBeyond: (over: boolean) => void, onGone: () => void,
   *   onStall: () => void}} hooks `onBeyond`: that moment is no longer kept, so that the earliest
   *   one plays instead, or, when this is over, can be asked for anew
   */
  constructor(video, url, { preview, momentMs }, hooks) {
    this.video = video;
    this.hooks = hooks;
    this.wantedMs = momentMs;
    const mark = (/** @type {XMLHttpRequest} */ request, /** @type {string} */ at) => {
      request.open("GET", at, true);
      request.setRequestHeader("X-Preview", "1");
    };
    this.hls = new Hls(preview ? { ...CONFIG, xhrSetup: mark } : CONFIG);
    this.hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (!this.hls.media) this.hls.attachMedia(video);
    });
    this.hls.once(Hls.Events.LEVEL_LOADED, (_event, data) => this.#place(data.details));
    this.hls.on(Hls.Events.LEVEL_UPDATED, (_event, data) => this.#updated(data.details));
    this.hls.on(Hls.Events.ERROR, (_event, data) => this.#error(data));
    this.hls.loadSource(url);
  }

  destroy() {
    this.#over = true;
    this.hls.destroy();
  }

  sleep() {
    this.hls.stopLoad();
    this.sleeping = true;
  }

  wake() {
    this.hls.startLoad(-1);
    this.sleeping = false;
  }

  choose() {}

  get codecs() {
    const level = this.hls.levels[Math.max(0, this.hls.currentLevel)];
    return [level?.videoCodec, level?.audioCodec].filter(Boolean).join(", ");
  }

  /** The moment that is shown, as time of day. */
  get momentMs() {
    return this.hls.playingDate?.getTime() ?? this.wantedMs;
  }

  /** @param {number} momentMs @returns {boolean} false when that moment isn't there */
  seek(momentMs) {
    const place = this.#details && this.#placeOf(this.#details, momentMs);
    if (!place) return false;
    this.wantedMs = momentMs;
    this.video.currentTime = place;
    return true;
  }

  /** @param {any} details */
  #place(details) {
    this.#details = details;
    const place = this.#placeOf(details, this.wantedMs);
    if (!place) this.hooks.onBeyond(false);
    this.hls.startLoad(place ?? details.fragmentStart + MARGIN_S);
    this.hooks.onPlaced();
  }

  /** Seconds on the media's time line; null before the window. @param {any} details
   * @param {number} momentMs */
  #placeOf(details, momentMs) {
    const fragments = details.fragments.filter((/** @type {any} */ one) => one.programDateTime);
    const first = fragments[0];
    if (!first || momentMs < first.programDateTime + 1_000) return null;
    const found = fragments.findLast((/** @type {any} */ one) => one.programDateTime <= momentMs);
    const inside = Math.min((momentMs - found.programDateTime) / 1000, found.duration - 0.1);
    return Math.max(found.start + Math.max(0, inside), 0.01);
  }

  /** The window moved on: who stood at its start may be out of it. @param {any} details */
  #updated(details) {
    this.#details = details;
    const { currentTime, paused, readyState } = this.video;
    if (!paused && readyState && currentTime && currentTime < details.fragmentStart) this.#beyond();
  }

  #beyond() {
    if (this.#over) return;
    this.#over = true;
    window.setTimeout(() => this.hooks.onBeyond(true)); // not inside hls.js, which this ends
  }

  /** @param {any} data */
  #error(data) {
    if (this.#over) return;
    if (data.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR) this.hooks.onStall();
    const missing = data.response?.code === 404;
    if (missing && data.details === Hls.ErrorDetails.FRAG_LOAD_ERROR) this.#beyond();
    else if (data.fatal && data.type === Hls.ErrorTypes.MEDIA_ERROR) this.hls.recoverMediaError();
    else if (data.fatal) {
      this.#over = true;
      window.setTimeout(() => this.hooks.onGone());
    }
  }
}
