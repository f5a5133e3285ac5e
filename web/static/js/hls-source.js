/** One playlist in one <video> through hls.js. Knows no page and no state of the channel. */

import Hls from "../vendor/hls/hls.light.min.js";
import { Latency } from "./latency.js";
import { CATCH_UP_RATE } from "./pace.js";

/** @typedef {{network: boolean, codecs: boolean, details: string}} SourceFailure */

/** A source that fails again so soon after a recovery is started anew instead. */
const RECOVERY_PAUSE_MS = 10_000;
const FAR_MS = 80; // to the first byte of the first playlist; nearer, asking in turn costs nothing
const PARTS_AHEAD_MAX = 6;

const CONFIG = {
  enableWorker: false, // fMP4 passes through: nothing to demux
  lowLatencyMode: true,
  liveDurationInfinity: true, // else the live button never believes it is live
  maxLiveSyncPlaybackRate: CATCH_UP_RATE,
  liveSyncOnStallIncrease: 0.25,
  backBufferLength: 30,
  maxBufferLength: 12,
  manifestLoadPolicy: {
    default: {
      maxTimeToFirstByteMs: 8_000,
      maxLoadTimeMs: 12_000,
      timeoutRetry: { maxNumRetry: 1, retryDelayMs: 500, maxRetryDelayMs: 2_000 },
      errorRetry: { maxNumRetry: 1, retryDelayMs: 500, maxRetryDelayMs: 2_000 },
    },
  },
};

/** @param {XMLHttpRequest} request @param {string} url */
function markPreview(request, url) {
  request.open("GET", url, true);
  request.setRequestHeader("X-Preview", "1");
}

/** Asks at once for the parts that hls.js is about to load one after another to get its first
 * picture; it then finds them in the browser's cache. @param {any} details hls.js LevelDetails */
function fetchAhead(details) {
  const parts = details.partList ?? [];
  const start = details.edge - (details.partHoldBack || 0);
  const first = parts.findLastIndex(
    (/** @type {any} */ part) => part.independent && part.start <= start,
  );
  if (first < 0) return;
  for (const part of parts.slice(first, first + PARTS_AHEAD_MAX)) fetch(part.url).catch(() => {});
}

/** How this browser can play HLS. Asked in this order: some answer "maybe" to native HLS. */
export function playback() {
  if (Hls.isSupported()) return "hls.js";
  return document.createElement("video").canPlayType("application/vnd.apple.mpegurl")
    ? "native"
    : "none";
}

export class HlsSource {
  way = "hls";
  sleeping = false;
  #recoverableAt = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLElement} controller the media-controller
   * @param {string} url
   * @param {{preview: boolean, behindS: number}} options `preview`: a streamer's own look, which
   *   doesn't count as a viewer; `behindS`: begin so far behind the live edge and stay there
   * @param {{onFailure: (failure: SourceFailure) => void, onRecovered: () => void,
   *   onLevels: () => void, onEnd: () => void, onStall: () => void}} hooks
   */
  constructor(video, controller, url, { preview, behindS }, hooks) {
    this.video = video;
    this.hooks = hooks;
    this.latency = new Latency(video, controller);
    this.hls = new Hls(preview ? { ...CONFIG, xhrSetup: markPreview } : CONFIG);
    this.hls.on(Hls.Events.MANIFEST_PARSED, () => {
      // not before: taking a <video> back while it opens its source logs an error
      if (!this.hls.media) this.hls.attachMedia(video);
      hooks.onLevels();
    });
    this.hls.once(Hls.Events.LEVEL_LOADED, (_event, data) => {
      const { first, start } = data.stats.loading;
      if (behindS) {
        this.latency.leave();
        this.hls.startLoad(Math.max(0, data.details.edge - behindS));
      } else if (first - start > FAR_MS) {
        fetchAhead(data.details);
      }
    });
    this.hls.on(Hls.Events.LEVEL_UPDATED, (_event, data) => {
      this.latency.playlist(data.details);
      if (!data.details.live) hooks.onEnd();
    });
    this.hls.on(Hls.Events.ERROR, (_event, data) => this.#error(data));
    this.hls.loadSource(url);
    this.latency.attach(this.hls);
  }

  destroy() {
    this.latency.attach(null);
    this.hls.destroy();
  }

  /** A picture that stands still for long need not keep loading. */
  sleep() {
    this.hls.stopLoad();
    this.sleeping = true;
  }

  wake() {
    this.hls.startLoad(-1);
    this.sleeping = false;
  }

  /** @param {number} level -1 is automatic */
  choose(level) {
    this.hls.currentLevel = level;
  }

  /** @returns {{index: number, label: string}[]} best first */
  get levels() {
    const levels = this.hls.levels.map((level, index) => ({
      index,
      label: level.height ? `${level.height}p` : `${Math.round(level.bitrate / 1000)} kb/s`,
    }));
    return levels.reverse();
  }

  /** CODECS of the level that plays, as the playlist names them. */
  get codecs() {
    const level = this.hls.levels[Math.max(0, this.hls.currentLevel)];
    return [level?.videoCodec, level?.audioCodec].filter(Boolean).join(", ");
  }

  /** @param {any} data */
  #error(data) {
    if (data.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR) {
      this.latency.stalled();
      this.hooks.onStall();
    }
    if (!data.fatal) return;
    const codecs =
      data.details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR ||
      data.details === Hls.ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR ||
      data.details === Hls.ErrorDetails.BUFFER_ADD_CODEC_ERROR;
    const now = performance.now();
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !codecs && now > this.#recoverableAt) {
      this.#recoverableAt = now + RECOVERY_PAUSE_MS;
      // It takes the source away and gives it anew, which leaves the element paused.
      this.hls.once(Hls.Events.MEDIA_ATTACHED, () => this.hooks.onRecovered());
      this.hls.recoverMediaError();
      return;
    }
    const network = data.type === Hls.ErrorTypes.NETWORK_ERROR;
    this.hooks.onFailure({ network, codecs, details: data.details });
  }
}

/** The browser's own HLS, as on iPhones without Media Source Extensions. */
export class NativeSource {
  way = "native";
  sleeping = false;
  /** @type {{index: number, label: string}[]} */ levels = [];
  codecs = "";

  /** @param {HTMLVideoElement} video @param {HTMLElement} controller @param {string} url */
  constructor(video, controller, url) {
    this.latency = new Latency(video, controller);
    video.src = url;
  }

  destroy() {}

  sleep() {}

  wake() {}

  choose() {}
}
