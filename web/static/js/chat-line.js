/** One chat event as an element. Text enters by textContent only. */

import { hueOf, isForMe, noticeText, spoken } from "./chat-events.js";
import { isEmotesAlone, tokens } from "./chat-text.js";
import { clockTime } from "./format.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */
/** @typedef {import("./chat-events.js").Emote} Emote */
/**
 * @typedef {object} LineContext what lines are drawn with
 * @property {string | null} me
 * @property {Map<string, Emote>} emotes
 * @property {string} icons URL of the sprite
 */

/** Badges are for those who look after the chat: one glance says whose word counts. */
const ROLES = {
  owner: ["video", "Streamer"],
  moderator: ["shield", "Moderator"],
  admin: ["shield-check", "Site admin"],
};

const SVG = "http://www.w3.org/2000/svg";

/** @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {string} className @param {string} [text] */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {string} icons @param {string} name @param {string} [label] for one that says something by itself */
export function icon(icons, name, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  if (label) {
    svg.setAttribute("role", "img");
    svg.append(Object.assign(document.createElementNS(SVG, "title"), { textContent: label }));
  } else svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${icons}#${name}`);
  svg.append(use);
  return svg;
}

/** @param {Emote} emote */
export function emoteImage(emote) {
  const image = new Image(emote.width, emote.height);
  image.className = "emote";
  image.alt = `:${emote.code}:`;
  image.title = `:${emote.code}:`;
  image.decoding = "async";
  image.src = emote.url;
  return image;
}

/** The text of a message: words, links, mentions, emotes. @param {string} text @param {LineContext} context */
export function lineText(text, context) {
  const body = make("bdi", "line-text");
  const pieces = tokens(text, context.emotes);
  if (isEmotesAlone(pieces)) body.classList.add("line-emotes");
  for (const piece of pieces) {
    if (piece.kind === "link") {
      const anchor = make("a", "", piece.text);
      anchor.href = piece.url;
      anchor.target = "_blank";
      anchor.rel = "noopener noreferrer nofollow ugc";
      anchor.title = piece.url;
      body.append(anchor);
    } else if (piece.kind === "mention") {
      body.append(make("span", piece.name === context.me ? "mention mention-me" : "mention", piece.text));
    } else if (piece.kind === "emote") body.append(emoteImage(piece.emote));
    else body.append(piece.text);
  }
  return body;
}

/** The coloured name with its badge; opens the card. @param {{username: string, role: string}} author @param {LineContext} context */
export function nameOf(author, context) {
  const role = ROLES[/** @type {keyof typeof ROLES} */ (author.role)];
  const name = make("span", `line-name hue-${hueOf(author.username)}`);
  name.dataset.user = author.username;
  if (role) name.append(icon(context.icons, role[0], role[1]));
  name.append(author.username);
  return name;
}

/** @param {number} atMs */
export function timeOf(atMs) {
  const time = make("time", "line-time", clockTime(new Date(atMs)));
  time.dateTime = new Date(atMs).toISOString();
  time.title = new Date(atMs).toLocaleString();
  return time;
}

/** @param {ChatEvent} event @param {LineContext} context @returns {HTMLElement | null} null for what is no line */
export function makeLine(event, context) {
  const { author, kind } = event;
  if ((kind === "message" || kind === "announcement") && author) {
    const line = make("div", "line");
    line.dataset.id = event.id;
    line.dataset.user = author.username;
    line.dataset.role = author.role;
    line.dataset.text = event.removed ? "" : event.text;
    line.dataset.at = String(event.at_ms);
    line.tabIndex = -1;
    line.setAttribute("role", "article");
    if (kind === "announcement") {
      line.classList.add("line-announcement", `tone-${event.data.colour ?? "accent"}`);
      line.append(icon(context.icons, "megaphone", "Announcement"));
    }
    if (isForMe(event, context.me)) line.classList.add("line-for-me");
    if (event.reply_to && !event.removed) line.append(replyTo(event.reply_to, context));
    line.append(timeOf(event.at_ms), nameOf(author, context), " ");
    line.append(event.removed ? removedText() : lineText(event.text, context));
    return line;
  }
  const text = noticeText(event, null);
  return text ? notice(text, context) : null;
}

/** @param {{id: string, username: string, text: string}} to @param {LineContext} context */
function replyTo(to, context) {
  const quote = make("button", "line-reply");
  quote.type = "button";
  quote.tabIndex = -1;
  quote.dataset.replyTo = to.id;
  quote.append(icon(context.icons, "reply"), make("span", "", `@${to.username}`), " ");
  quote.append(make("bdi", "", spoken(to.text)));
  quote.title = "Go to that message";
  return quote;
}

/** What was quoted was removed: whose it was stays. @param {HTMLElement} quote */
export function blankQuote(quote) {
  quote.querySelector("bdi")?.replaceChildren();
}

/** @param {number} count how many lines it stands for */
export function removedText(count = 1) {
  const what = count > 1 ? `${count} messages ` : "";
  return make("span", "line-removed", `${what}removed by a moderator`);
}

/** What the room itself says, in one or more lines. @param {string} text @param {{icons: string}} context @param {string} [symbol] */
export function notice(text, context, symbol = "info") {
  const line = make("div", "line line-notice");
  const said = make("span", "line-notice-text");
  for (const part of text.split("\n")) said.append(...(said.hasChildNodes() ? [make("br", "")] : []), part);
  line.append(icon(context.icons, symbol), said);
  return line;
}

/** What a line says when it is read by itself. @param {HTMLElement} line */
export function sentenceOf(line) {
  const { user, text, at } = line.dataset;
  if (!user) return line.textContent ?? "";
  return `${user}, ${clockTime(new Date(Number(at)))}: ${text ? spoken(text) : "removed by a moderator"}`;
}
