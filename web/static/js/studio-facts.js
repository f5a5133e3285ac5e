/** Measured facts as sentences and tiles; the server's macros write the same. */

import { setText } from "./format.js";

/** @typedef {import("./studio-feed.js").Health} Health */

/** While the encoder is away, what it sent before says nothing. @param {Health} health */
const isHere = (health) => health.state !== "reconnecting";

/** @type {Record<string, (health: Health) => string>} */
const FACTS = {
  bitrate: (h) => (isHere(h) && h.bitrate_bps ? `${Math.floor(h.bitrate_bps / 1000).toLocaleString("en")} kb/s` : ""),
  fps: (h) => (isHere(h) && h.fps ? `${h.fps.toFixed(0)} a second` : ""),
  keyframes: (h) => (h.keyframe_interval_ms ? `every ${(h.keyframe_interval_ms / 1000).toFixed(1)} s` : ""),
  picture: (h) => (h.width ? `${h.width} × ${h.height}` : h.audio_codec ? "Sound only" : ""),
  delay: (h) => (h.latency_p50_ms ? `${(h.latency_p50_ms / 1000).toFixed(1)} s` : ""),
  stalls: (h) => (h.viewers_stalling_pct === null || h.viewers_stalling_pct === undefined ? "" : `${h.viewers_stalling_pct.toFixed(0)} %`),
};

/** @param {Health | null} health */
export function showFacts(health) {
  const verdict = health?.verdict ?? "idle";
  for (const place of document.querySelectorAll("[data-fact]")) {
    const fact = FACTS[/** @type {HTMLElement} */ (place).dataset.fact ?? ""];
    setText(place, (health && verdict !== "idle" && fact?.(health)) || "–");
  }
  for (const place of document.querySelectorAll("[data-verdict]")) {
    /** @type {HTMLElement} */ (place).dataset.verdict = verdict;
    for (const note of /** @type {NodeListOf<HTMLElement>} */ (place.querySelectorAll("[data-when]"))) {
      note.hidden = note.dataset.when !== verdict;
      const text = /** @type {HTMLElement | null} */ (note.querySelector("[data-advice]"));
      if (!note.hidden) setText(text, health?.advice ?? text?.dataset.advice ?? "");
    }
  }
}
