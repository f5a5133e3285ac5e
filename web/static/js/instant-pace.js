/** How far behind the live moment instant playback stays: as much as its messages are late at times.
 *
 * How late a picture is, by the encoder's own pace or by the network, shows in its time on the media's
 * line. One that came as early as any should find `targetS` in front of the picture on screen; then
 * one that comes as late as any still finds `FLOOR_S`. The speed changes a little to get there, and it jumps when far off. */

import { CATCH_UP_RATE } from "./pace.js";

const TICK_MS = 50;
const WINDOW_MS = 15_000;
const FLOOR_S = 0.18; // decoding in software; Chromium stalled now and then with 0.13
const JITTER_S_MIN = 0.02;
const JITTER_S_START = 0.05;
const MEASURED_MS = 3_000; // before, the jitter isn't known well
const SETTLE_MS = 700;
const JITTER_S_MAX = 1.5;
const JUMP_S = 1;
const NEAR_S = 0.015;
const OFF_S = 0.04;
const RATE_MIN = 0.97;
const GAIN = 0.3; // of the distance in a second
const SMOOTH = 0.15;
const STALL_EXTRA_S = 0.05;
const STALL_EXTRA_S_MAX = 0.6;
const CALM_MS = 300_000; // what a stall has taught isn't forgotten soon: the next one would follow

export class InstantPace {
  #timer;
  /** @type {[number, number][]} arrival, and how much later than on the time line */ #ways = [];
  #beganAt = 0;
  #settled = false;
  #quickestMs = 0;
  #jitterS = JITTER_S_START;
  #aheadS = 0;
  #measured = false;
  #steering = false;
  #extraS = 0;
  #calmSince = 0;
  /** @type {{receivedMs: number, endS: number} | null} */ #newest = null;
  /** The viewer can't leave the live moment this way: see step(). */
  follow = true;

  /** @param {HTMLVideoElement} video @param {() => number} endS to where it can play
   * @param {() => number} serverNowMs */
  constructor(video, endS, serverNowMs) {
    this.video = video;
    this.endS = endS;
    this.serverNowMs = serverNowMs;
    this.frameS = 0.033;
    this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.video.playbackRate = 1;
  }

  /** A message came, before it is appended. @param {number} receivedMs @param {number} endS */
  came(receivedMs, endS) {
    const now = performance.now();
    this.#beganAt ||= now;
    if (!this.#settled && now - this.#beganAt > SETTLE_MS) {
      this.#settled = true; // a page that is still starting is late by itself
      this.#ways = [];
    }
    const way = now - endS * 1000;
    this.#ways.push([now, way]);
    if (this.#ways[0][0] < now - WINDOW_MS - 1_000) {
      this.#ways = this.#ways.filter(([at]) => at >= now - WINDOW_MS);
    }
    if (this.#ways.length % 8 === 1) this.#measure(now);
    const lateS = Math.max(0, way - this.#quickestMs) / 1000;
    const aheadS = endS - this.frameS - this.video.currentTime + lateS;
    this.#aheadS = this.#measured ? this.#aheadS + SMOOTH * (aheadS - this.#aheadS) : aheadS;
    this.#measured = true;
    this.#newest = { receivedMs, endS };
  }

  /** The picture stood still for want of data. */
  stalled() {
    this.#extraS = Math.min(this.#extraS + STALL_EXTRA_S, STALL_EXTRA_S_MAX);
    this.#calmSince = performance.now();
  }

  /** What comes is laid elsewhere on the time line. */
  relaid() {
    this.#ways = [];
    this.moved();
  }

  /** What is on screen was moved. */
  moved() {
    this.#measured = false;
  }

  get targetS() {
    return FLOOR_S + this.#jitterS + this.#extraS + this.frameS;
  }

  get behindEdgeS() {
    return this.endS() - this.video.currentTime;
  }

  /** Milliseconds since the server received the picture on screen. */
  get delayMs() {
    if (!this.#newest) return 0;
    const { receivedMs, endS } = this.#newest;
    return Math.round(this.serverNowMs() - receivedMs + (endS - this.video.currentTime) * 1000);
  }

  toEdge() {
    if (this.behindEdgeS > this.targetS + 0.3) this.#jump();
  }

  /** @returns {boolean} whether it could: what is behind is with HLS */
  step() {
    return false;
  }

  /** @param {number} now */
  #measure(now) {
    const took = this.#ways.map(([, way]) => way).sort((a, b) => a - b);
    this.#quickestMs = took[0];
    const late = took[Math.floor((took.length - 1) * 0.99)] - took[0];
    const least = now - this.#beganAt < MEASURED_MS ? JITTER_S_START : JITTER_S_MIN;
    this.#jitterS = Math.min(Math.max(late / 1000, least), JITTER_S_MAX);
    if (this.#extraS && now - this.#calmSince > CALM_MS) {
      this.#extraS = Math.max(0, this.#extraS - STALL_EXTRA_S);
      this.#calmSince = now;
    }
  }

  #jump() {
    this.video.currentTime = this.endS() - this.targetS;
    this.moved();
  }

  #tick() {
    const { video } = this;
    if (video.paused || video.seeking || !this.#measured) return;
    const off = this.#aheadS - (this.targetS - this.frameS);
    if (off > JUMP_S || (CATCH_UP_RATE === 1 && off > JUMP_S / 2)) {
      this.#jump();
      return;
    }
    const rate = this.#rate(off);
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  /** @param {number} off seconds further behind than need be */
  #rate(off) {
    if (CATCH_UP_RATE === 1) return 1;
    this.#steering = Math.abs(off) > (this.#steering ? NEAR_S : OFF_S);
    if (!this.#steering) return 1;
    const rate = 1 + Math.round(off * GAIN * 100) / 100 + Math.sign(off) * 0.01;
    return Math.min(CATCH_UP_RATE, Math.max(RATE_MIN, rate));
  }
}
