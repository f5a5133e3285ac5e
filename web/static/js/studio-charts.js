/** The health page: the last half hour as lines, and the same as tables. uPlot draws on canvas, so
 * colours are read from the page and read again when the theme changes. */

import { HEIGHT, colour, onTheme } from "./chart-look.js";
import { showFacts } from "./studio-facts.js";
import { watchChannel } from "./studio-feed.js";
import { clockTime, serverNowMs, setText } from "./format.js";

/** @typedef {import("./studio-feed.js").Health} Health */
/** @typedef {{label: string, of: (health: Health) => number | null | undefined}} Line */

const WINDOW_MS = 30 * 60 * 1000;
const WINDOW_MS_MIN = 3 * 60 * 1000;
const REDRAW_MS = 1_000;

/** @param {number | null | undefined} ms */
const seconds = (ms) => (ms === null || ms === undefined ? null : ms / 1000);

/** @type {Record<string, {lines: Line[], write: (value: number) => string, more?: (value: number) => string}>} */
const CHARTS = {
  bitrate: {
    lines: [{ label: "Bitrate", of: (h) => h.bitrate_bps / 1000 }],
    write: (v) => `${Math.round(v).toLocaleString("en")} kb/s`,
  },
  fps: { lines: [{ label: "Frames", of: (h) => h.fps }], write: (v) => `${v.toFixed(1)} fps` },
  viewers: {
    lines: [{ label: "Viewers", of: (h) => h.viewers }],
    write: (v) => Math.round(v).toLocaleString("en"),
  },
  latency: {
    lines: [
      { label: "Half of them", of: (h) => seconds(h.latency_p50_ms) },
      { label: "95 of 100", of: (h) => seconds(h.latency_p95_ms) },
    ],
    write: (v) => `${v.toFixed(2)} s`,
    more: (v) => `, dashed: 95 of 100 under ${v.toFixed(2)} s`,
  },
  stalls: {
    lines: [{ label: "Stalling", of: (h) => h.viewers_stalling_pct }],
    write: (v) => `${v.toFixed(1)} %`,
  },
  uplink: {
    lines: [{ label: "Upload", of: (h) => h.uplink_bps / 1e6 }],
    write: (v) => `${v.toFixed(1)} Mb/s`,
  },
};

const uPlot = /** @type {any} */ (window).uPlot;
const channel = /** @type {HTMLElement | null} */ (document.querySelector("[data-channel]"))?.dataset.channel;
/** @type {Health[]} */
let points = [];
/** @type {Map<string, any>} */
const plots = new Map();

/** Half an hour, or since the stream began. @returns {[number, number]} */
function timeRange() {
  const end = points.at(-1)?.at_ms ?? serverNowMs();
  const shown = Math.min(WINDOW_MS, Math.max(WINDOW_MS_MIN, end - (points[0]?.at_ms ?? 0)));
  return [(end - shown) / 1000, end / 1000];
}

/** @param {string} name */
function dataOf(name) {
  const idle = (/** @type {Health} */ one) => one.verdict === "idle";
  return [
    points.map((one) => one.at_ms / 1000),
    ...CHARTS[name].lines.map((line) => points.map((one) => (idle(one) ? null : (line.of(one) ?? null)))),
  ];
}

function draw() {
  const [line, second, text, grid] = ["--accent", "--warn", "--muted", "--line"].map(colour);
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  for (const figure of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-chart]"))) {
    const name = figure.dataset.chart ?? "";
    const place = /** @type {HTMLElement} */ (figure.querySelector(".chart-canvas"));
    plots.get(name)?.destroy();
    const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const options = {
      width: place.clientWidth,
      height: HEIGHT,
      cursor: { y: false, drag: { setScale: false } },
      legend: { show: false },
      scales: {
        x: { range: timeRange },
        y: { range: (/** @type {any} */ _u, /** @type {number} */ _low, /** @type {number} */ high) => [0, (high || 1) * 1.15] },
      },
      axes: [
        { ...axis, size: 28, space: 80, values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map((s) => clockTime(new Date(s * 1000))) },
        { ...axis, size: 56, space: 40 },
      ],
      series: [
        {},
        ...CHARTS[name].lines.map((one, index) => ({
          label: one.label,
          stroke: index ? second : line,
          width: 2,
          dash: index ? [6, 4] : undefined,
          points: { show: false },
        })),
      ],
    };
    plots.set(name, new uPlot(options, dataOf(name), place));
  }
}

/** One row a minute. @param {HTMLElement} figure */
function fillTable(figure) {
  const { lines, write } = CHARTS[figure.dataset.chart ?? ""];
  const head = figure.querySelector("thead tr");
  if (head && head.children.length === 1) {
    for (const line of lines) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = line.label;
      head.append(cell);
    }
  }
  /** @type {Map<string, Health>} */
  const minutes = new Map();
  for (const one of points) {
    minutes.set(clockTime(new Date(one.at_ms)), one);
  }
  const rows = [...minutes].reverse().map(([minute, one]) => {
    const row = document.createElement("tr");
    const values = lines.map((line) => (one.verdict === "idle" ? null : line.of(one)));
    for (const text of [minute, ...values.map((v) => (v === null || v === undefined ? "–" : write(v)))]) {
      row.insertCell().textContent = text;
    }
    return row;
  });
  figure.querySelector("tbody")?.replaceChildren(...rows);
}

/** What a chart shows at its right end. @param {string} name @param {Health} health */
function now(name, health) {
  const { lines, write, more } = CHARTS[name];
  const [first, second] = lines.map((line) => (health.verdict === "idle" ? null : (line.of(health) ?? null)));
  if (first === null) return "–";
  return write(first) + (more && second !== null && second !== undefined ? more(second) : "");
}

let redrawn = 0;
function refresh() {
  if (Date.now() - redrawn < REDRAW_MS || document.hidden) return;
  redrawn = Date.now();
  const last = points.at(-1);
  if (last) showFacts(last);
  for (const figure of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-chart]"))) {
    const name = figure.dataset.chart ?? "";
    plots.get(name)?.setData(dataOf(name));
    setText(figure.querySelector("[data-now]"), last ? now(name, last) : "–");
    if (figure.querySelector("details")?.open) fillTable(figure);
  }
}

/** @param {Health} health */
function add(health) {
  points.push(health);
  points = points.filter((one) => one.at_ms > health.at_ms - WINDOW_MS);
  refresh();
}

for (const details of document.querySelectorAll("[data-chart] details")) {
  details.addEventListener("toggle", () => fillTable(/** @type {HTMLElement} */ (details.closest("[data-chart]"))));
}
draw();
new ResizeObserver(() => {
  for (const [name, plot] of plots) {
    const place = document.querySelector(`[data-chart="${name}"] .chart-canvas`);
    if (place && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }
}).observe(/** @type {Element} */ (document.querySelector("[data-charts]")));
onTheme(draw);

if (channel) {
  watchChannel(channel, {
    watched: (answer) => {
      points = answer.history;
      if (answer.health) add(answer.health);
    },
    health: add,
  });
}
