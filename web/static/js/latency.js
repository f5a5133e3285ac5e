/** Keeps the picture near the live edge, and knows how far behind it is. */

import { serverNowMs } from "./format.js";
import { Pace } from "./pace.js";

const CALM_MS = 60_000;
const SLACK_S = 2.5;
const LATENCY_MAX_S = 8;
const CLOCK_DELAY_MAX_MS = 120_000;

export class Latency {
  #lastStallMs = 0;
  #raised = false;
  #lowered = false;
  #holdBackS = 0;
  /** @type {Pace | null} */ #pace = null;

  /** @param {HTMLVideoElement} video @param {HTMLElement} controller the media-controller */
  constructor(video, controller) {
    this.video = video;
    this.controller = controller;
    /** Whether the viewer wants the live moment; false after stepping back. */
    this.follow = true;
    /** @type {any} */
    this.hls = null;
  }

  /** @param {any} hls or null when there is no source */
  attach(hls) {
    this.hls = hls;
    this.follow = true;
    this.#raised = false;
    this.#lowered = false;
    this.#holdBackS = 0;
    this.#pace?.stop();
    this.#pace = hls ? new Pace(this.video, hls, () => this.follow) : null;
  }

  /** Takes hold-back from the playlist: it differs by preset and by the encoder's keyframes.
   * @param {any} details hls.js LevelDetails */
  playlist(details) {
    const holdBack = details.partHoldBack || details.holdBack || 3 * details.targetduration;
    if (holdBack !== this.#holdBackS) {
      if (this.#lowered) this.hls.targetLatency = holdBack;
      this.#holdBackS = holdBack;
      this.#steer();
      this.controller.setAttribute("liveedgeoffset", (holdBack + SLACK_S).toFixed(1));
    }
    if (this.#raised && performance.now() - this.#lastStallMs > CALM_MS) {
      this.hls.targetLatency = holdBack; // hls.js never lowers it again by itself
      this.#lowered = true;
      this.#raised = false;
    }
  }

  stalled() {
    this.#lastStallMs = performance.now();
    this.#raised = true;
  }

  /** Seeks to where hls.js wants to be. */
  toEdge() {
    this.follow = true;
    this.#steer();
    const edge = this.#edge();
    if (edge !== null && Math.abs(edge - this.video.currentTime) > 1) {
      this.video.currentTime = edge;
    }
  }

  /** Steps inside what the playlist still holds. @param {number} seconds @returns {boolean} */
  step(seconds) {
    const { seekable } = this.video;
    const edge = this.#edge();
    if (!seekable.length || edge === null) return true;
    const to = Math.max(seekable.start(0) + 1, this.video.currentTime + seconds);
    if (to >= edge - 0.5) {
      this.toEdge();
      return true;
    }
    this.leave();
    this.video.currentTime = to;
    return true;
  }

  /** The viewer stays behind the live moment. */
  leave() {
    this.follow = false;
    this.#steer();
  }

  /** Seconds behind the newest media in the playlist, which needs no clock. */
  get behindEdgeS() {
    if (this.hls) return this.hls.latency;
    const { seekable } = this.video;
    return seekable.length ? seekable.end(seekable.length - 1) - this.video.currentTime : 0;
  }

  /** Milliseconds since the server received the picture, by its clock; else as behindEdgeS. */
  get delayMs() {
    const date = this.hls?.playingDate;
    const delay = date ? serverNowMs() - date.getTime() : -1;
    const known = delay > 0 && delay < CLOCK_DELAY_MAX_MS;
    return Math.round(known ? delay : this.behindEdgeS * 1000);
  }

  get targetS() {
    return this.hls?.targetLatency ?? this.#holdBackS;
  }

  #edge() {
    const edge = this.hls?.liveSyncPosition;
    if (typeof edge === "number") return edge;
    const { seekable } = this.video;
    return seekable.length ? seekable.end(seekable.length - 1) - this.#holdBackS : null;
  }

  #steer() {
    if (!this.hls) return;
    // Read anew on each tick. Without a part hold-back 8 s would be less than normal.
    this.hls.config.liveMaxLatencyDuration = this.follow
      ? Math.max(LATENCY_MAX_S, 2.5 * this.#holdBackS)
      : Infinity;
  }
}
