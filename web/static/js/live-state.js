/** What the server says about a channel, and what the player should show for it. */

/**
 * @typedef {object} LiveView
 * @property {"offline"|"starting"|"held"|"live"|"reconnecting"|"ended"} state `held`: for its streamer only
 * @property {string | null} [playlist_url]
 * @property {string | null} [instant_url]
 * @property {string | null} [poster_url]
 * @property {string | null} [title]
 * @property {number | null} [started_at_ms]
 * @property {number | null} [viewers]
 * @property {string | null} [video_codec]
 * @property {string | null} [audio_codec]
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {string | null} [warning]
 * @property {string | null} [broadcast_id]
 * @property {string | null} [dvr_url]
 * @property {number | null} [dvr_window_s]
 * @property {boolean | null} [full] somebody new would be refused
 * @property {string | null} [back_soon_url] a picture for while the encoder is away
 */

/** @typedef {"idle"|"loading"|"playing"|"waiting"|"paused"|"blocked"|"ended"|"retrying"|"unsupported"} MediaState */

const LIVE_POLL_MS = 10_000;
const WAITING_POLL_MS = 2_500;
const ERROR_POLL_MS_MAX = 30_000;
const REQUEST_TIMEOUT_MS = 8_000;

/**
 * The layer to show. The picture is a few seconds behind the server's word, so as long as it
 * plays it is shown, whatever the server says.
 * @param {LiveView["state"]} server
 * @param {MediaState} media
 */
export function playerState(server, media) {
  if (media === "playing") return "live";
  const over = server === "offline" || server === "ended";
  if (media === "unsupported" && !over) return "unsupported";
  if (over) return server;
  if (server === "starting") return "starting";
  if (media === "paused" || media === "blocked") return media;
  if (server === "reconnecting") return "reconnecting";
  if (media === "retrying") return "retrying";
  return media === "waiting" ? "buffering" : "loading";
}

/** Asks the server about one channel, for as long as the page is visible. */
export class LivePoll {
  /** @type {number | undefined} */ #timer;
  #failures = 0;
  #running = false;
  #asking = false;

  /**
   * @param {string} url
   * @param {(view: LiveView) => void} onView
   * @param {number} [waitingMs] pause between two requests while nothing is live
   */
  constructor(url, onView, waitingMs = WAITING_POLL_MS) {
    this.url = url;
    this.onView = onView;
    this.waitingMs = waitingMs;
    /** @type {LiveView["state"]} */
    this.state = "offline";
    this.visibility = () => (document.hidden ? this.#pause() : this.now());
  }

  /** @param {LiveView["state"]} state as the page was rendered */
  start(state) {
    this.state = state;
    this.#running = true;
    document.addEventListener("visibilitychange", this.visibility);
    this.#schedule();
  }

  stop() {
    this.#running = false;
    document.removeEventListener("visibilitychange", this.visibility);
    this.#pause();
  }

  /** Asks at once, as when the picture stands still. */
  now() {
    this.#pause();
    if (this.#running && !this.#asking) void this.#ask();
  }

  #pause() {
    clearTimeout(this.#timer);
  }

  #schedule() {
    this.#pause();
    if (!this.#running || document.hidden) return;
    const base = this.state === "live" ? LIVE_POLL_MS : this.waitingMs;
    const wait = Math.min(base * 2 ** this.#failures, Math.max(base, ERROR_POLL_MS_MAX));
    // spread, so that a restarted server isn't asked by everyone in the same instant
    this.#timer = window.setTimeout(() => this.now(), wait * (0.9 + 0.2 * Math.random()));
  }

  async #ask() {
    this.#asking = true;
    try {
      const answer = await fetch(this.url, {
        headers: { accept: "application/json" },
        cache: "no-store",
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const gone = answer.status === 404; // deleted, or hidden by an admin
      if (!answer.ok && !gone) throw new Error(`status ${answer.status}`);
      /** @type {LiveView} */
      const view = gone ? { state: "offline" } : await answer.json();
      this.#failures = 0;
      this.state = view.state;
      if (this.#running) this.onView(view);
    } catch {
      this.#failures = Math.min(this.#failures + 1, 6);
    } finally {
      this.#asking = false;
      this.#schedule();
    }
  }
}
