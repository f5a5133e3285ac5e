/** Reads the clock that clock_publisher.py burns into the picture, on each frame that is shown.
 * Injected before any other script of a page; finds the page's <video> by itself. */
(() => {
  const BITS = 40;
  const CELL = 4;
  const meter = {
    firstMs: null, // navigation start to the first decoded frame
    askedMs: null, // navigation start to the player's asking for instant playback
    ways: [], // the player's, once a second
    samples: [], // [Date.now(), milliseconds since the frame was drawn]
    unread: 0,
    waits: [], // each stop: [ms since the first frame, ms until it played on, s in the buffer]
    gapMaxMs: 0,
    errors: [],
  };
  window.benchMeter = meter;
  const canvas = document.createElement("canvas");
  canvas.width = BITS * CELL;
  canvas.height = 2 * CELL;
  const context = canvas.getContext("2d", { willReadFrequently: true });

  function stamp(video) {
    const side = Math.floor(video.videoWidth / BITS);
    context.drawImage(
      video, 0, 0, side * BITS, 2 * side, 0, 0, canvas.width, canvas.height,
    );
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const luma = (bit, row) => data[4 * ((row * CELL + 2) * canvas.width + bit * CELL + 2)];
    const bytes = [0, 0, 0, 0, 0];
    for (let bit = 0; bit < BITS; bit += 1) {
      const value = luma(bit, 0);
      if (Math.abs(value - luma(bit, 1)) < 60) return null;
      if (value > 128) bytes[bit >> 3] |= 0x80 >> (bit & 7);
    }
    const sum = bytes[0] + bytes[1] + bytes[2] + bytes[3];
    if ((~sum & 0xff) !== bytes[4]) return null;
    return ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
  }

  function attach(video) {
    let last = 0;
    const frame = (now) => {
      const wall = Date.now();
      if (meter.firstMs === null) meter.firstMs = now;
      else meter.gapMaxMs = Math.max(meter.gapMaxMs, now - last);
      last = now;
      const drawn = stamp(video);
      if (drawn === null) meter.unread += 1;
      else meter.samples.push([wall, (wall - drawn) >>> 0]);
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    let plays = false; // what waits before it ever played is starting
    let wait = null;
    video.addEventListener("playing", () => {
      plays = meter.firstMs !== null;
      if (wait) wait[1] = Math.round(performance.now() - meter.firstMs - wait[0]);
      wait = null;
    });
    video.addEventListener("timeupdate", () => {
      if (meter.firstMs !== null && !video.paused && video.readyState > 2) plays = true;
    });
    video.addEventListener("waiting", () => {
      if (!plays || video.seeking) return;
      const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
      const spare = Math.max(0, end - video.currentTime);
      wait = [Math.round(performance.now() - meter.firstMs), null, spare];
      meter.waits.push(wait);
    });
  }

  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      if (this.url.includes("/instant")) meter.askedMs ??= performance.now();
    }
  };
  setInterval(() => {
    const way = document.querySelector("live-player")?.stats?.way;
    if (way && !meter.ways.includes(way)) meter.ways.push(way);
  }, 1000);

  const look = () => {
    const video = document.querySelector("video");
    if (video) attach(video);
    else setTimeout(look, 5);
  };
  look();
})();
