/** What the server tells those who run a channel: its health every two seconds, and what happens. */

import { ask, connect } from "./realtime.js";

/**
 * @typedef {{at_ms: number, state: string, verdict: "good"|"warn"|"bad"|"idle", advice: string|null,
 *   bitrate_bps: number, fps: number|null, keyframe_interval_ms: number|null,
 *   video_codec: string|null, audio_codec: string|null, width: number|null, height: number|null,
 *   viewers: number, latency_p50_ms: number|null, latency_p95_ms: number|null,
 *   viewers_stalling_pct: number|null, uplink_bps: number}} Health
 */
/** @typedef {{id: string, kind: string, amount: string, name: string, message: string, alert: string}} Given */
/** @typedef {{id: string, at_ms: number, kind: string, text: string, username?: string|null, given?: Given|null}} Activity */
/** @typedef {{watched?: (answer: {health: Health | null, history: Health[], activity: Activity[], overlays: number}) => void,
 *   health?: (health: Health) => void, activity?: (item: Activity) => void,
 *   alert?: (change: {id: string, alert: string}) => void, overlays?: (open: number) => void}} Handlers */

/** Follows one channel over reconnects. @param {string} channel @param {Handlers} handlers */
export function watchChannel(channel, handlers) {
  const socket = connect("/studio");
  socket.on("connect", async () => {
    const answer = await ask("watch", { channel }, socket);
    if (answer.ok) handlers.watched?.(/** @type {any} */ (answer));
  });
  socket.on("health", (/** @type {any} */ packet) => {
    if (packet.channel === channel) handlers.health?.(packet.health);
  });
  socket.on("alert", (/** @type {any} */ packet) => {
    if (packet.channel === channel) handlers.alert?.(packet);
  });
  socket.on("overlays", (/** @type {any} */ packet) => {
    if (packet.channel === channel) handlers.overlays?.(packet.open);
  });
  socket.on("activity", (/** @type {any} */ packet) => {
    if (packet.channel === channel) handlers.activity?.(packet.item);
  });
}
