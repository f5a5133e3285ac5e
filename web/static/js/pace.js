/** Plays a little faster while the picture is behind where it should be.
 *
 * In place of hls.js's own catch-up, which acts only with more than a second in the buffer. The lan
 * preset aims at 0.65 s, so there each hiccup would leave the picture later, up to that second. */

/** Safari's audio crackles when the rate changes, so it only seeks. */
export const CATCH_UP_RATE = "GestureEvent" in window ? 1 : 1.1;

const TICK_MS = 100;
const BEHIND_S = 0.08; // less is the jitter of a frame or two
const CLOSE_S = 0.02;
const FAR_S = 0.4;
const GENTLE_RATE = 1.05;
const SPARE_PARTS = 1.25; // with less to play, hurrying would run dry before the next part

export class Pace {
  #timer;

  /** @param {HTMLVideoElement} video @param {any} hls whose rate control is taken over
   * @param {() => boolean} wanted whether the viewer follows the live moment */
  constructor(video, hls, wanted) {
    this.video = video;
    this.hls = hls;
    this.wanted = wanted;
    this.rateMax = hls.config.maxLiveSyncPlaybackRate;
    hls.config.maxLiveSyncPlaybackRate = 1; // hls.js then never touches the rate
    this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.video.playbackRate = 1;
  }

  #tick() {
    const rate = this.#rate();
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  #rate() {
    const { buffered, currentTime, playbackRate } = this.video;
    const details = this.hls.latestLevelDetails;
    const goal = this.hls.liveSyncPosition;
    if (!this.wanted() || !details || typeof goal !== "number" || !buffered.length) return 1;
    const spareS = SPARE_PARTS * (details.partTarget || details.targetduration);
    if (buffered.end(buffered.length - 1) - currentTime < spareS) return 1;
    const behindS = goal - currentTime;
    if (behindS < (playbackRate > 1 ? CLOSE_S : BEHIND_S)) return 1;
    return Math.min(behindS > FAR_S ? this.rateMax : GENTLE_RATE, this.rateMax);
  }
}
