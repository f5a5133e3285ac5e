/** One alert as elements, for the overlay and for the studio's preview. What people wrote enters by
 * textContent only. */

/** @typedef {{id: string, amount_minor_min: number, template: string, picture: string, picture_url: string | null,
 *   sound: string, volume: number, duration_ms: number, animation: string, layout: string, size_px: number,
 *   colour: string, name_colour: string}} Look */
/** @typedef {{id: string, turn: number, kind: string, name: string, amount: string, amount_minor: number, message: string,
 *   goal: string, line_id: string | null, gap_ms: number, look: Look}} Alert */

const SVG = "http://www.w3.org/2000/svg";

/** Drawn by us: 64 by 64, filled with the colour of names. @type {Record<string, string[]>} */
const PICTURES = {
  star: ["M32 4l8.6 17.9 19.7 2.6-14.4 13.7 3.6 19.5L32 48.2 14.5 57.7l3.6-19.5L3.7 24.5l19.7-2.6z"],
  heart: ["M32 57S5 41 5 22.5C5 13 12 7 19.5 7 25 7 29.5 10 32 15c2.5-5 7-8 12.5-8C52 7 59 13 59 22.5 59 41 32 57 32 57z"],
  gift: ["M6 20h52v11H6z", "M10 34h44v25H10z", "M32 20c-9 0-17-3-17-9 0-9 14-6 17 9zm0 0c9 0 17-3 17-9 0-9-14-6-17 9z"],
  spark: ["M32 2c2 18 10 28 28 30-18 2-26 12-28 30-2-18-10-28-28-30C22 30 30 20 32 2z"],
};

/** @param {string} name */
function drawn(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 64 64");
  svg.setAttribute("class", `alert-picture alert-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of PICTURES[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** @param {Look} look */
function picture(look) {
  if (look.layout === "text" || look.picture === "none") return null;
  if (look.picture !== "own") return drawn(PICTURES[look.picture] ? look.picture : "star");
  if (!look.picture_url) return null;
  const image = new Image();
  image.className = "alert-picture";
  image.alt = "";
  image.src = look.picture_url;
  return image;
}

/** @param {string} tag @param {string} className @param {string} text */
function part(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** @param {Alert} alert */
export function alertElement(alert) {
  const { look } = alert;
  const box = part("article", `alert alert-layout-${look.layout} alert-enter-${look.animation}`, "");
  box.dataset.id = alert.id;
  box.style.setProperty("--size", `${look.size_px}px`);
  box.style.setProperty("--text", look.colour);
  box.style.setProperty("--name", look.name_colour);
  const image = picture(look);
  const said = part("div", "alert-said", "");
  const line = part("p", "alert-line", "");
  const values = /** @type {Record<string, string>} */ ({
    name: alert.name,
    amount: alert.amount,
    message: alert.message, // as long as the server lets it be; the style cuts what doesn't fit
    goal: alert.goal,
  });
  for (const [i, piece] of look.template.split(/\{(name|amount|message|goal)\}/).entries()) {
    if (i % 2 === 0) line.append(piece);
    else line.append(part("bdi", `alert-${piece}`, values[piece]));
  }
  said.append(line);
  if (values.message && !look.template.includes("{message}")) said.append(part("p", "alert-message", values.message));
  said.querySelectorAll("p.alert-message").forEach((one) => one.setAttribute("dir", "auto"));
  if (image) box.append(image);
  box.append(said);
  return box;
}

/** Its line was removed: so is what it says. @param {Element | null} box */
export function silence(box) {
  box?.querySelectorAll(".alert-message").forEach((one) => (one.textContent = ""));
}
