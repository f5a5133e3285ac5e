/**
 * <live-player>: joins the picture (sources), the server's word (live-state) and the controls.
 * `data-state` is what is shown; `stats` is a read-only view for tests; each word of the server
 * goes on as a bubbling "live-view" event. Server-rendered by macros/player.html.
 */

import { serverNowMs } from "./format.js";
import { LivePoll } from "./live-state.js";
import { PlayerLayers } from "./player-layers.js";
import { PastBar } from "./past-bar.js";
import { PlayerPanel } from "./player-panel.js";
import { wireKeys } from "./player-keys.js";
import { Sources } from "./sources.js";
import { toggleTheatre } from "./theatre.js";
import { Volume } from "./volume.js";

/** @typedef {import("./live-state.js").LiveView} LiveView */
/** @typedef {import("./live-state.js").MediaState} MediaState */

const POSTER_AGE_MS = 15_000; // before, there is none
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const STUCK_MS = 6_000;
const PAUSE_LOAD_MS = 20_000;
const COUNTED_MS = 1_500; // then the server's count of viewers holds this one too
const READY_MS = 2_000;
const STUDIO_POLL_MS = 1_000;
const STEP_S = 5;
const STRIDE_S = 60;
const LIVE_S = 5; // what is so close is live
const PAST_S = 20; // further back is with the recording
const KEPT_PAUSE_MS = 1_000; // a shorter one goes on with the live moment
const VOLUME_STEP = 0.05;

class LivePlayer extends HTMLElement {
  /** @type {MediaState} */ #media = "idle";
  /** @type {number | undefined} */ #retry;
  /** @type {number | undefined} */ #watch;
  /** @type {number | undefined} */ #pausing;
  #attempt = 0;
  #stalls = 0;
  #played = false;
  #lastTime = 0;
  #movedAt = 0;
  #userPaused = false;
  #pausedAt = 0;
  #pausedBehindS = 0;
  /** @type {string | null | undefined} */ #loadedId;

  connectedCallback() {
    if (this.poll) return;
    const data = this.querySelector("script[data-live]");
    this.video = /** @type {HTMLVideoElement} */ (this.querySelector("video"));
    this.controller = /** @type {HTMLElement} */ (this.querySelector("media-controller"));
    this.preview = this.hasAttribute("data-preview");
    this.view = this.#shown(JSON.parse(data?.textContent ?? '{"state": "offline"}'));
    this.video.controls = false;
    this.video.removeAttribute("src");
    this.video.load();
    this.volume = new Volume(this.video, this.querySelector('[data-action="sound"]'), this.preview);
    this.layers = new PlayerLayers(this, this.video, this.controller);
    this.sources = new Sources(this.video, this.controller, this.preview, {
      view: () => this.view,
      isWatched: () => this.#media === "playing" && !!this.latency?.follow && !document.hidden,
      onReady: () => {
        if (this.#userPaused) this.#stayPaused();
        else void this.#play();
      },
      onLevels: () => this.panel?.showLevels(this.#source.levels, -1),
      onEnd: () => this.poll?.now(),
      onFailure: (failure) => this.#failed(failure),
      onNone: () => this.#unsupported(""),
      onStall: () => {
        // a pause, or a place that was asked for, is no stall
        if (this.#played && !this.video.paused && !this.video.seeking) this.#stalls += 1;
      },
      onReload: () => this.#load(),
      onSwitch: () => this.#holdPicture(),
      onSay: (text) => this.layers?.say(text),
      onPast: (momentMs) => this.#loadPast(momentMs),
    });
    this.panel = new PlayerPanel(this, this.video, () => this.#details(), {
      level: (level) => this.#source?.choose(level),
      way: (choice) => {
        if (this.sources?.choose(choice)) this.#load();
      },
    });
    this.panel.showWay(this.sources.ways.choice);
    this.poll = new LivePoll(
      this.dataset.url ?? "",
      (view) => this.#heard(view),
      this.preview ? STUDIO_POLL_MS : undefined,
    );
    this.past = new PastBar(this, () => this.#behindS, (behindS) => this.#goTo(behindS));
    this.past.show(this.view);
    this.#wireMedia();
    this.#wireActions();
    this.#follow(true);
    this.poll.start(this.view.state);
    this.#watch = window.setInterval(() => this.#check(), 1_000);
  }

  disconnectedCallback() {
    this.poll?.stop();
    this.past?.stop();
    clearInterval(this.#watch);
    this.#unload();
  }

  get #source() {
    return this.sources?.current ?? null;
  }

  /** @returns {import("./latency.js").Latency | null} or what instant playback has in its place */
  get latency() {
    return this.#source?.latency ?? null;
  }

  /** Read-only figures, for tests and for the curious. */
  get stats() {
    const video = /** @type {any} */ (this.video);
    return Object.freeze({
      state: this.dataset.state,
      server: this.view?.state,
      way: this.#source?.way ?? null,
      latencyMs: this.latency?.delayMs ?? null,
      edgeMs: this.latency ? Math.round(this.latency.behindEdgeS * 1000) : null,
      targetMs: this.latency ? Math.round(this.latency.targetS * 1000) : null,
      stalls: this.#stalls,
      currentTime: video.currentTime,
      paused: video.paused,
      muted: video.muted,
      playbackRate: video.playbackRate,
      buffered: Array.from({ length: video.buffered.length }, (_, i) => [
        video.buffered.start(i),
        video.buffered.end(i),
      ]),
      decodedAudioBytes: video.webkitAudioDecodedByteCount ?? null,
      decodedVideoFrames: video.getVideoPlaybackQuality?.().totalVideoFrames ?? null,
      droppedVideoFrames: video.getVideoPlaybackQuality?.().droppedVideoFrames ?? null,
      broadcastId: this.view?.broadcast_id ?? null,
    });
  }

  /* The server's word */

  /** A stream that is held shows in its streamer's preview only. @param {LiveView} view
   * @returns {LiveView} */
  #shown(view) {
    return view.state === "held" && !this.preview ? { state: "offline" } : view;
  }

  get #onAir() {
    return this.view?.state === "live" || this.view?.state === "held";
  }

  /** @param {LiveView} heard */
  #heard(heard) {
    const before = this.view;
    const view = this.#shown(heard);
    // A stream that ends is `ended` for a while; from one that was taken away nothing more is shown.
    const withdrawn = view.state === "offline" && (this.#onAir || before?.state === "reconnecting");
    this.view = view;
    if (withdrawn) this.#withdraw();
    this.past?.show(view);
    // than what is loaded: the first word of a new one may come while nothing of it plays yet
    const other = view.broadcast_id !== this.#loadedId;
    if (other && this.#media === "unsupported") this.#media = "idle";
    if (view.state === "live" && before?.state === "reconnecting") this.#movedAt = performance.now();
    this.#follow(other || (this.#source === null && this.#media !== "retrying"));
    this.dispatchEvent(new CustomEvent("live-view", { bubbles: true, detail: { view, before } }));
  }

  /** Loads, keeps or drops the source as the server's word asks. @param {boolean} load */
  #follow(load) {
    const { state, playlist_url: url, poster_url: poster } = this.view ?? { state: "offline" };
    const on = this.#onAir || state === "reconnecting";
    if (on && url && load && this.#media !== "unsupported") {
      const age = serverNowMs() - (this.view?.started_at_ms ?? 0);
      if (poster && age > POSTER_AGE_MS) this.video?.setAttribute("poster", poster);
      this.#load();
    }
    if (!on && this.#media !== "playing") this.#unload();
    this.toggleAttribute("data-sound-only", on && !this.view?.video_codec && !!this.view?.audio_codec);
    this.#show();
  }

  /* The source */

  /** Plays what is live now; with `behindS` by HLS and so far back. @param {number} [behindS] */
  #load(behindS = 0) {
    if (this.#media === "unsupported") this.#media = "idle";
    clearTimeout(this.#retry);
    this.#holdPicture();
    this.#loadedId = this.view?.broadcast_id;
    this.sources?.load(behindS);
  }

  /** Plays what the server keeps of the stream's past. @param {number} momentMs time of day */
  #loadPast(momentMs) {
    clearTimeout(this.#retry);
    this.#holdPicture();
    this.sources?.loadPast(momentMs);
  }

  /** The source is about to change: what was shown last stays until there is more. */
  #holdPicture() {
    clearTimeout(this.#pausing);
    if (this.#played) this.layers?.hold();
    this.#setMedia(this.#userPaused ? "paused" : this.#played ? "waiting" : "loading");
    this.#movedAt = performance.now();
    this.#played = false;
  }

  /** Another place or source, for who has paused: its picture stands. */
  #stayPaused() {
    this.#setMedia("paused");
    clearTimeout(this.#pausing);
    this.#pausing = window.setTimeout(() => this.#source?.sleep(), PAUSE_LOAD_MS);
  }

  #unload() {
    clearTimeout(this.#retry);
    clearTimeout(this.#pausing);
    this.sources?.unload();
    if (this.#media !== "unsupported") this.#media = "idle";
  }

  #withdraw() {
    this.#unload();
    this.layers?.release();
    this.video?.removeAttribute("poster");
    this.video?.load();
  }

  async #play() {
    const plays = await this.volume?.play();
    if (!plays) this.#setMedia("blocked");
  }

  /** @param {import("./hls-source.js").SourceFailure} failure */
  #failed(failure) {
    if (failure.codecs) {
      this.#unsupported(this.#source?.codecs ?? "");
      return;
    }
    if (!failure.network && this.#attempt === 0 && this.view?.playlist_url) {
      // Other tracks than before, as after a return with sound alone: a new start takes them.
      this.#attempt = 1;
      this.#load();
      return;
    }
    const wait = RETRY_MS[Math.min(this.#attempt, RETRY_MS.length - 1)];
    this.#attempt += 1;
    this.#unload();
    this.#setMedia("retrying");
    this.layers?.retryIn(wait, !!this.view?.full);
    this.#retry = window.setTimeout(() => this.#tryAgain(), wait);
    this.poll?.now();
  }

  #tryAgain() {
    this.#media = "idle";
    this.#follow(true);
    this.poll?.now();
  }

  /** @param {string} named CODECS of the playlist */
  #unsupported(named) {
    this.#unload();
    this.#media = "unsupported";
    const codecs = `${this.view?.video_codec ?? ""} ${this.view?.audio_codec ?? ""} ${named}`;
    this.layers?.release();
    this.layers?.unsupported(codecs);
    this.#show();
  }

  /* The media element */

  #wireMedia() {
    const video = this.video;
    video.addEventListener("playing", () => {
      if (!this.#played) {
        this.#soundOnly();
        window.setTimeout(() => this.poll?.now(), COUNTED_MS);
        window.setTimeout(() => void import("./hls-source.js"), READY_MS); // at hand when needed
      }
      this.#played = true;
      this.#attempt = 0;
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(() => this.layers?.release());
      else this.layers?.release();
      this.#setMedia("playing");
    });
    video.addEventListener("loadeddata", () => {
      if (this.#userPaused) this.layers?.release();
    });
    video.addEventListener("waiting", () => this.#waits());
    video.addEventListener("ended", () => {
      this.#setMedia("ended");
      this.poll?.now();
    });
    video.addEventListener("pause", () => {
      if (video.ended || !this.#played || this.#media === "idle") return;
      this.#userPaused = !document.hidden || this.#userPaused;
      this.#pausedAt = performance.now();
      this.#pausedBehindS = (this.latency?.delayMs ?? 0) / 1000;
      this.#setMedia("paused");
      // a picture that stands still for long need not keep loading
      this.#pausing = window.setTimeout(() => this.#source?.sleep(), PAUSE_LOAD_MS);
    });
    video.addEventListener("play", () => {
      this.#userPaused = false;
      clearTimeout(this.#pausing);
      if (!this.#source || this.#keepsPlace()) return;
      if (this.#source.sleeping && this.#source.way === "instant") {
        this.#load();
        return;
      }
      if (this.#source.sleeping) this.#source.wake();
      if (this.#played && this.latency?.follow) this.latency.toEdge();
      if (this.#media === "paused" || this.#media === "blocked") this.#setMedia("waiting");
    });
    video.addEventListener("error", () => {
      if (this.#source?.way === "native" && video.error && this.#media !== "idle") {
        this.#failed({ network: true, codecs: video.error.code === 4, details: "native" });
      }
    });
    video.addEventListener("dblclick", () => this.#press("media-fullscreen-button"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden || !this.#played || video.paused) return;
      if (this.latency?.follow && this.latency.behindEdgeS > this.latency.targetS + 2) {
        this.latency.toEdge();
      }
    });
  }

  /** hls.js tells of no picture only by its absence. */
  #soundOnly() {
    if (this.view?.video_codec) return;
    this.toggleAttribute("data-sound-only", this.video.videoWidth === 0);
  }

  #waits() {
    if (this.#media !== "playing") return;
    this.#setMedia("waiting");
    if (this.view?.state === "live") this.poll?.now();
  }

  /** Once a second: a picture that should move but doesn't gets its source anew. */
  #check() {
    const video = this.video;
    const now = performance.now();
    if (video.currentTime !== this.#lastTime) {
      this.#lastTime = video.currentTime;
      this.#movedAt = now;
      return;
    }
    // Not what the element says of pausing: it may have been paused with its source taken away.
    const shouldMove = this.#onAir && !this.#userPaused && !document.hidden;
    const waits = this.#media === "waiting" || this.#media === "loading" || this.#media === "ended";
    if (shouldMove && waits && now - this.#movedAt > STUCK_MS && this.view?.playlist_url) {
      if (this.#source?.way === "dvr") this.#loadPast(this.#source.momentMs);
      else this.#load();
    }
  }

  /* What is shown */

  /** @param {MediaState} media */
  #setMedia(media) {
    this.#media = media;
    if (media === "waiting" || media === "ended") this.#follow(false);
    this.#show();
  }

  #show() {
    this.layers?.show(this.view, this.#media);
  }

  #details() {
    const { buffered, currentTime } = this.video;
    const end = buffered.length ? buffered.end(buffered.length - 1) : currentTime;
    return {
      way: this.#source?.way ?? "",
      delayMs: this.latency?.delayMs ?? 0,
      targetS: this.latency?.targetS ?? 0,
      bufferS: Math.max(0, end - currentTime),
      codecs:
        this.#source?.codecs ||
        [this.view?.video_codec, this.view?.audio_codec].filter(Boolean).join(", "),
      stalls: this.#stalls,
    };
  }

  /* Actions */

  /** @param {string} name of a media-chrome button */
  #press(name) {
    /** @type {HTMLElement | null} */ (this.querySelector(name))?.click();
  }

  /** Seconds from the live moment to what is shown; 0 for who follows it. */
  get #behindS() {
    if (!this.latency || (this.latency.follow && !this.video.paused)) return 0;
    return this.latency.delayMs / 1000;
  }

  /** Plays what is so far back, by whatever has it. @param {number} behindS */
  #goTo(behindS) {
    const source = this.#source;
    if (behindS < LIVE_S || !this.view?.dvr_url) {
      this.#toLive();
    } else if (behindS >= PAST_S) {
      const momentMs = serverNowMs() - behindS * 1000;
      if (source?.way !== "dvr" || !source.seek(momentMs)) this.#loadPast(momentMs);
      else if (this.video.paused && !this.#userPaused) void this.#play();
    } else if (source?.way === "hls" && !source.sleeping) {
      source.latency.step(source.latency.delayMs / 1000 - behindS);
    } else {
      this.#load(behindS);
    }
  }

  /** After a pause: where the past is kept, what was paused plays on. @returns {boolean} */
  #keepsPlace() {
    const pausedMs = this.#pausedAt ? performance.now() - this.#pausedAt : 0;
    this.#pausedAt = 0;
    const keeps = pausedMs > KEPT_PAUSE_MS && this.view?.dvr_url && !this.preview;
    if (!keeps || this.#source.way === "dvr" || this.#source.way === "native") return false;
    this.#goTo(Math.max(LIVE_S, this.#pausedBehindS + pausedMs / 1000));
    return this.#source?.way !== "hls" || this.#source.sleeping;
  }

  /** @param {number} seconds */
  #step(seconds) {
    if (this.latency && this.view?.dvr_url && this.#source.way !== "native") {
      const behindS = this.latency.delayMs / 1000 - seconds;
      if (this.#userPaused) {
        this.#pausedAt = performance.now(); // it plays on from there
        this.#pausedBehindS = behindS;
      }
      this.#goTo(behindS);
      return;
    }
    if (!this.latency || this.latency.step(seconds)) return;
    // what is behind the live moment is with HLS
    if (seconds < 0) this.#load(this.latency.delayMs / 1000 - seconds);
    else this.latency.toEdge();
  }

  #toLive() {
    this.#userPaused = false;
    this.#pausedAt = 0; // not on from the pause
    const leaves = this.latency && !this.latency.follow && this.sources?.mayInstant;
    if (leaves || this.#source?.way === "dvr") this.#load();
    else this.latency?.toEdge();
    if (this.video.paused) void this.#play();
  }

  #wireActions() {
    const video = this.video;
    /** @type {import("./player-keys.js").Actions} */
    const actions = {
      play: () => (video.paused ? void this.#play() : video.pause()),
      sound: () => this.volume?.unmute(),
      mute: () => (video.muted ? this.volume?.unmute() : (video.muted = true)),
      louder: () => {
        video.volume = Math.min(1, video.volume + VOLUME_STEP);
        video.muted = false;
      },
      quieter: () => (video.volume = Math.max(0, video.volume - VOLUME_STEP)),
      back: () => this.#step(-STEP_S),
      forward: () => this.#step(STEP_S),
      farBack: () => this.#step(-STRIDE_S),
      farForward: () => this.#step(STRIDE_S),
      live: () => this.#toLive(),
      fullscreen: () => this.#press("media-fullscreen-button"),
      pip: () => this.#press("media-pip-button"),
      captions: () => this.#press("media-captions-button"),
      theatre: () => !this.preview && toggleTheatre(),
      panel: () => this.panel?.toggle(),
      stats: () => this.panel?.toggleStats(),
      help: () => this.panel?.showHelp(),
      retry: () => this.#tryAgain(),
    };
    wireKeys(this, actions);
    this.addEventListener("click", (event) => {
      const button = /** @type {Element} */ (event.target).closest("[data-action]");
      const name = button?.getAttribute("data-action") ?? "";
      if (name !== "sound") actions[name]?.();
      if (button?.closest(".player-panel")) this.panel?.toggle();
    });
    // media-chrome would go to the very end of the playlist, where nothing is buffered yet
    this.addEventListener(
      "mediaseektoliverequest",
      (event) => {
        event.stopPropagation();
        actions.live();
      },
      { capture: true },
    );
  }
}

customElements.define("live-player", LivePlayer);
