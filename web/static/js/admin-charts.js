/** The statistics of the admin desk: the columns of the table in the page as bars, one chart each. */

import { HEIGHT, colour, onTheme } from "./chart-look.js";

const uPlot = /** @type {any} */ (window).uPlot;
const rows = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-figures] [data-day]"))].reverse();
const days = rows.map((row) => Date.parse(row.dataset.day ?? "") / 1000);
/** @type {Map<HTMLElement, any>} */
const plots = new Map();

/** @param {string} name */
const column = (name) => rows.map((row) => Number(row.querySelector(`[data-name="${name}"]`)?.textContent));

/** Such as "20 Nov". @param {number} seconds */
const date = (seconds) =>
  new Date(seconds * 1000).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" });

function draw() {
  const [bar, text, grid] = ["--accent", "--muted", "--line"].map(colour);
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  for (const figure of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-chart]"))) {
    const place = /** @type {HTMLElement} */ (figure.querySelector(".chart-canvas"));
    plots.get(figure)?.destroy();
    const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const half = 12 * 3600;
    const options = {
      width: place.clientWidth,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { range: [days[0] - half, days[days.length - 1] + half] },
        y: { range: (/** @type {any} */ _u, /** @type {number} */ _low, /** @type {number} */ high) => [0, Math.max(1, high * 1.15)] },
      },
      axes: [
        { ...axis, size: 28, space: 70, grid: { show: false }, values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map(date) },
        { ...axis, size: 48, space: 40 },
      ],
      series: [{}, { fill: bar, paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } }],
    };
    plots.set(figure, new uPlot(options, [days, column(figure.dataset.chart ?? "")], place));
  }
}

draw();
new ResizeObserver(() => {
  for (const [figure, plot] of plots) {
    const place = figure.querySelector(".chart-canvas");
    if (place && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }
}).observe(/** @type {Element} */ (document.querySelector("[data-charts]")));
onTheme(draw);
