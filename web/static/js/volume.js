/** Remembers volume and mute, and gets sound going where the browser blocks it. */

const KEY = "volume";

/** @returns {{volume: number, muted: boolean}} */
function remembered() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "");
    if (stored.volume >= 0 && stored.volume <= 1) return { ...stored, muted: !!stored.muted };
  } catch {
    // nothing stored, or storage is blocked: both mean the default
  }
  return { volume: 1, muted: false };
}

export class Volume {
  #forced = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLElement | null} soundButton shown while the browser keeps the sound off
   * @param {boolean} keepMuted for previews
   */
  constructor(video, soundButton, keepMuted) {
    this.video = video;
    this.button = soundButton;
    this.keepMuted = keepMuted;
    const { volume, muted } = remembered();
    video.volume = volume;
    video.muted = keepMuted || muted;
    video.addEventListener("volumechange", () => this.#changed());
    soundButton?.addEventListener("click", () => this.unmute());
  }

  /** Without sound at first, as inside another site's page; not remembered. */
  startMuted() {
    this.#forced = true;
    this.video.muted = true;
    if (this.button) this.button.hidden = false;
  }

  unmute() {
    this.#forced = false;
    this.video.muted = false;
    if (this.video.volume === 0) this.video.volume = 0.5;
    if (this.button) this.button.hidden = true;
  }

  /** Plays with sound, else without, else not at all. @returns {Promise<boolean>} whether it plays */
  async play() {
    try {
      await this.video.play();
      return true;
    } catch (error) {
      if (/** @type {DOMException} */ (error).name !== "NotAllowedError") return true;
    }
    if (this.video.muted) return false;
    this.#forced = true;
    this.video.muted = true;
    try {
      await this.video.play();
      if (this.button) this.button.hidden = false;
      return true;
    } catch (error) {
      return /** @type {DOMException} */ (error).name !== "NotAllowedError";
    }
  }

  #changed() {
    const { volume, muted } = this.video;
    if (!muted && this.button) this.button.hidden = true;
    if (!muted) this.#forced = false;
    if (this.#forced || this.keepMuted) return;
    try {
      localStorage.setItem(KEY, JSON.stringify({ volume, muted }));
    } catch {
      // storage is blocked: the volume lasts as long as the page
    }
  }
}
