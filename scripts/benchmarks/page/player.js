/** The smallest player: hls.js with the site's settings, which ?config={json} may change. */
import Hls from "./hls.js";

const query = new URLSearchParams(location.search);
const video = document.querySelector("video");
const hls = new Hls({
  enableWorker: false,
  lowLatencyMode: true,
  liveDurationInfinity: true,
  maxLiveSyncPlaybackRate: 1.1,
  liveSyncOnStallIncrease: 0.25,
  backBufferLength: 30,
  maxBufferLength: 12,
  ...JSON.parse(query.get("config") ?? "{}"),
});
window.benchHls = hls;
hls.on(Hls.Events.ERROR, (_event, data) => {
  window.benchMeter?.errors.push([Date.now(), data.details, data.fatal]);
});
hls.loadSource(query.get("source"));
hls.attachMedia(video);
