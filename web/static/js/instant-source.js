/** Instant playback in one <video>: a WebSocket's messages into Media Source Extensions.
 *
 * Each epoch of the server has a time line of its own, and a viewer who was too slow misses some of
 * it: here all is laid end to end, so that the picture plays on. Knows no page. */

import { setServerClock } from "./format.js";
import { joined, readMessage } from "./instant-messages.js";
import { InstantPace } from "./instant-pace.js";

/** @typedef {import("./instant-messages.js").EpochHead} EpochHead */
/** @typedef {import("./instant-messages.js").Fragment} Fragment */
/** @typedef {"full" | "gone" | "codecs" | "media" | "stalls"} Trouble */

const CLOSE_ENDED = 4000;
const CLOSE_FULL = 4001;
const OPEN_MS = 4_000; // to the first picture
const TICK_MS = 250;
const SILENT_MS = 1_000; // then the server is asked whether it is there
const ANSWER_MS = 1_200;
const CLOCK_MS = 10_000;
const BACK_S = 8;
const TRIM_S = 4;
const HOLE_S = 1;
const SERVER_PAUSE_MS = 300; // the encoder's own pause is nobody's trouble
const STALLS_MAX = 3;
const STALLS_MS = 20_000;

/** @type {any} */
const Media = self.MediaSource ?? /** @type {any} */ (self).ManagedMediaSource;

/** Whether this browser can play it. @param {...(string | null | undefined)} codecs */
export function playsInstant(...codecs) {
  const named = codecs.filter(Boolean);
  return !!Media && named.length > 0 && Media.isTypeSupported(`video/mp4; codecs="${named.join(",")}"`);
}

/** @param {EpochHead | null} head */
function tracksOf(head) {
  return `${head?.video} ${head?.codecs.split(",").length}`;
}

export class InstantSource {
  way = "instant";
  /** @type {{index: number, label: string}[]} */ levels = [];
  codecs = "";
  sleeping = false;
  /** @type {any} */ #media = null;
  /** @type {any} */ #buffer = null;
  #url = "";
  /** @type {(EpochHead | Fragment)[]} */ #queue = [];
  /** @type {EpochHead | null} */ #head = null;
  #sequence = -1;
  #offsetS = 0;
  #endS = 0;
  #relay = true; // the next fragment is laid at the end of what is there
  #ready = false; // the first group came
  #placed = false;
  #isOpen = false;
  #over = false;
  #timer;
  #openedAt = performance.now();
  #messageAt = 0;
  #askedAt = 0;
  #clockAt = 0;
  #rttMs = Infinity;
  #receivedMs = 0;
  #waited = false;
  /** @type {number[]} */ #stalls = [];

  /**
   * @param {HTMLVideoElement} video
   * @param {string} url
   * @param {{preview: boolean, behindS: number}} options `behindS`: begin so far behind at first,
   *   so that a viewer who was further behind misses less
   * @param {{onReady: () => void, onPlaced: () => void, onTrouble: (why: Trouble) => void,
   *   onOtherTracks: () => void, onStall: () => void}} hooks `onOtherTracks`: only a new source
   *   can go on
   */
  constructor(video, url, options, hooks) {
    this.video = video;
    this.hooks = hooks;
    this.behindS = options.behindS;
    this.latency = new InstantPace(video, () => this.#end(), () => this.#serverNowMs());
    this.clockMs = Date.now() - performance.now();
    const address = new URL(url, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (options.preview) address.searchParams.set("preview", "1");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => this.#ask());
    this.socket.addEventListener("message", (event) => this.#message(event.data));
    this.socket.addEventListener("close", (event) => this.#closed(event.code));
    this.waits = () => this.#waiting();
    video.addEventListener("waiting", this.waits);
    this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
  }

  /** Takes the <video>. Not before `onReady` if it plays something else until then. */
  attach() {
    this.#media = new Media();
    this.video.disableRemotePlayback = true; // else Safari's managed source never opens
    const opened = () => {
      URL.revokeObjectURL(this.#url);
      if (this.#media.readyState !== "open") return; // taken away before it was told
      this.#media.duration = Infinity;
      this.#isOpen = true;
      this.#pump();
    };
    this.#media.addEventListener("sourceopen", opened, { once: true });
    this.#url = URL.createObjectURL(this.#media);
    this.video.src = this.#url;
  }

  /** A picture that stands still for long need not keep loading. It doesn't wake up again. */
  sleep() {
    this.sleeping = true;
    this.socket.close();
  }

  destroy() {
    this.#over = true;
    clearInterval(this.#timer);
    this.latency.stop();
    this.video.removeEventListener("waiting", this.waits);
    this.socket.close();
    this.#queue = [];
    if (this.#media) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  /* The server */

  /** @param {string | ArrayBuffer} data */
  #message(data) {
    if (this.#over) return;
    const now = performance.now();
    this.#messageAt = now;
    if (typeof data === "string") {
      this.#answer(JSON.parse(data), now);
      return;
    }
    const message = readMessage(data);
    if (!message) return;
    this.#queue.push("head" in message ? message.head : message.fragment);
    if ("fragment" in message) {
      this.#came(message.fragment);
      if (!this.#ready) {
        this.#ready = true;
        this.hooks.onReady();
      }
    }
    this.#pump();
  }

  /** @param {Fragment} fragment */
  #came({ receivedMs, endS }) {
    if (this.#waited && receivedMs - this.#receivedMs < SERVER_PAUSE_MS) this.#stalled();
    this.#waited = false;
    this.#receivedMs = receivedMs;
    if (this.#placed && !this.#relay) this.latency.came(receivedMs, endS + this.#offsetS);
  }

  #ask() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.#askedAt = this.#clockAt = performance.now();
    this.socket.send(JSON.stringify({ clock: this.#askedAt }));
  }

  /** @param {{clock: number, server_ms: number}} answer @param {number} now */
  #answer({ clock, server_ms: serverMs }, now) {
    this.#askedAt = 0;
    const rtt = now - clock;
    if (rtt > this.#rttMs * 1.2) return;
    this.#rttMs = rtt;
    this.clockMs = serverMs + rtt / 2 - now;
    setServerClock(serverMs + rtt / 2);
  }

  #serverNowMs() {
    return performance.now() + this.clockMs;
  }

  /** @param {number} code */
  #closed(code) {
    if (this.#over || this.sleeping) return;
    if (code === CLOSE_ENDED && this.#ready) {
      this.#over = true;
      clearInterval(this.#timer);
      this.#endMedia();
      return;
    }
    this.#fail(code === CLOSE_FULL ? "full" : "gone");
  }

  /** @param {Trouble} why */
  #fail(why) {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.hooks.onTrouble(why);
  }

  #tick() {
    const now = performance.now();
    if (this.sleeping) return;
    if (!this.#ready && now - this.#openedAt > OPEN_MS && now - this.#messageAt > OPEN_MS) {
      this.#fail("gone");
      return;
    }
    if (this.#askedAt && now - this.#askedAt > ANSWER_MS && this.#messageAt < this.#askedAt) {
      this.#fail("gone");
      return;
    }
    const silent = now - Math.max(this.#messageAt, this.#openedAt) > SILENT_MS;
    if (!this.#askedAt && (silent || now - this.#clockAt > CLOCK_MS)) this.#ask();
    this.#jumpHole();
    this.#trim();
  }

  /* Stalls */

  #waiting() {
    if (!this.#placed || this.video.seeking || this.video.paused) return;
    this.#waited = true;
  }

  #stalled() {
    const now = performance.now();
    this.latency.stalled();
    this.hooks.onStall();
    this.#stalls = [...this.#stalls.filter((at) => now - at < STALLS_MS), now];
    if (this.#stalls.length >= STALLS_MAX) this.#fail("stalls");
  }

  /* The media */

  /** To where it can play: the picture's last frame is said to stand longer than it does. */
  #end() {
    const { buffered } = this.video;
    const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
    return Math.min(end, this.#endS);
  }

  #pump() {
    if (!this.#isOpen || this.#media.readyState !== "open") return;
    if (this.#buffer?.updating || !this.#queue.length) return;
    try {
      const next = this.#queue[0];
      if ("init" in next) this.#begin(/** @type {EpochHead} */ (this.#queue.shift()));
      else this.#append();
    } catch (error) {
      if (/** @type {DOMException} */ (error).name === "QuotaExceededError" && this.#trim(1)) return;
      this.#fail(/** @type {DOMException} */ (error).name === "NotSupportedError" ? "codecs" : "media");
    }
  }

  /** @param {EpochHead} head */
  #begin(head) {
    if (this.#head && this.#head.epoch === head.epoch) {
      this.#pump();
      return;
    }
    if (!this.#buffer) {
      this.#buffer = this.#media.addSourceBuffer(head.mime);
      this.#buffer.addEventListener("updateend", () => this.#appended());
      this.#buffer.addEventListener("error", () => this.#fail("media"));
    } else if (tracksOf(this.#head) !== tracksOf(head)) {
      this.#over = true; // a source buffer keeps the tracks it began with
      this.hooks.onOtherTracks();
      return;
    } else if (this.#head?.mime !== head.mime) {
      this.#buffer.changeType(head.mime);
    }
    this.#head = head;
    this.#relay = true;
    this.codecs = head.codecs;
    this.latency.frameS = (head.frameMs ?? 20) / 1000;
    this.#buffer.appendBuffer(head.init);
  }

  #append() {
    const first = /** @type {Fragment} */ (this.#queue[0]);
    if (first.sequence !== this.#sequence + 1) this.#relay = true;
    if (this.#relay) {
      this.#offsetS = (this.#placed ? this.#end() : 0) - first.startS;
      this.#buffer.timestampOffset = this.#offsetS;
      this.#relay = false;
      this.latency.relaid();
    }
    const pieces = [];
    while (this.#queue.length && "data" in this.#queue[0]) {
      const fragment = this.#queue[0];
      if (pieces.length && fragment.sequence !== this.#sequence + 1) break;
      this.#queue.shift();
      this.#sequence = fragment.sequence;
      this.#endS = fragment.endS + this.#offsetS;
      pieces.push(fragment.data);
    }
    this.#buffer.appendBuffer(joined(pieces));
  }

  /** While the buffer is still at work, the end comes with its next `updateend`. */
  #endMedia() {
    if (this.#media?.readyState === "open" && !this.#buffer?.updating) this.#media.endOfStream();
  }

  #appended() {
    if (this.#over && !this.#queue.length) {
      this.#endMedia();
      return;
    }
    if (!this.#placed && this.video.buffered.length) {
      this.#placed = true;
      const behind = Math.max(this.latency.targetS, this.behindS);
      this.video.currentTime = Math.max(this.video.buffered.start(0), this.#end() - behind);
      this.hooks.onPlaced();
    }
    this.#pump();
  }

  /** Over a hole that neither track fills. */
  #jumpHole() {
    const { buffered, currentTime, paused } = this.video;
    if (paused || buffered.length < 2) return;
    for (let i = 1; i < buffered.length; i += 1) {
      const from = buffered.end(i - 1);
      const to = buffered.start(i);
      if (currentTime >= from - 0.1 && currentTime < to && to - from < HOLE_S) {
        this.video.currentTime = to + 0.01;
        this.latency.moved();
        return;
      }
    }
  }

  /** @param {number} [keepS] @returns {boolean} whether something is removed */
  #trim(keepS = BACK_S + TRIM_S) {
    const { buffered, currentTime } = this.video;
    if (!this.#buffer || this.#buffer.updating || this.#media.readyState !== "open") return false;
    if (!buffered.length || buffered.start(0) > currentTime - keepS) return false;
    this.#buffer.remove(0, currentTime - Math.min(keepS, BACK_S));
    return true;
  }
}
