/** The chat over a streamer's picture, as a browser source. Reads only, and reconnects for ever. */

import { lineText, make, nameOf } from "./chat-line.js";
import { ask, connect } from "./realtime.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */

const LINES_MAX = 50;
const GONE_MS = 700;
const TEST_EVERY_MS = 1_800;
const ASK_AGAIN_MS = 3_000;
/** @type {[string, string, string][]} */
const SAMPLES = [
  ["mira", "owner", "This is how your chat looks over the picture."],
  ["kofi", "viewer", "Good evening"],
  ["lena_k", "moderator", "A longer line shows where it wraps, so that you can give the source the right width."],
  ["ana_outdoors", "viewer", "@mira hello from the hills"],
];

const list = /** @type {HTMLElement} */ (document.querySelector(".overlay-chat"));
const query = new URLSearchParams(location.search);
const context = { me: null, emotes: new Map(), icons: list.dataset.icons ?? "" };

/** @param {string} name @param {number} otherwise @param {number} most */
function number(name, otherwise, most) {
  const given = Number(query.get(name) ?? otherwise);
  return given >= 0 && given <= most ? given : otherwise;
}

const fadeMs = number("fade", 30, 3_600) * 1_000;
const linesMax = Math.max(1, number("lines", 12, LINES_MAX));
document.documentElement.style.setProperty("--size", `${number("size", 28, 200) || 28}px`);
if (query.get("side") === "right") list.dataset.side = "right";

/** @param {HTMLElement} line */
function leave(line) {
  line.classList.add("gone");
  setTimeout(() => line.remove(), GONE_MS);
}

/** @param {ChatEvent} event */
function show(event) {
  const { author, kind, text } = event;
  const ageMs = Date.now() - event.at_ms;
  if (!author || event.removed || !["message", "announcement"].includes(kind)) return;
  if (fadeMs && ageMs > fadeMs) return;
  const line = make("p", `line line-${kind}`);
  line.dataset.id = event.id;
  line.append(nameOf(author, context), " ", lineText(text, context));
  list.append(line);
  while (list.children.length > linesMax) list.firstElementChild?.remove();
  if (fadeMs) setTimeout(() => leave(line), fadeMs - Math.max(0, ageMs));
}

/** @param {ChatEvent[]} events */
function take(events) {
  for (const event of events) {
    const { data } = event;
    if (event.kind === "removed") {
      for (const id of data.ids) list.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
    } else if (event.kind === "cleared") list.replaceChildren();
    else if (event.kind === "emotes") takeEmotes(data.emotes);
    else show(event);
  }
}

/** @param {import("./chat-events.js").Emote[]} emotes */
function takeEmotes(emotes) {
  context.emotes = new Map(emotes.map((emote) => [emote.code, emote]));
}

function follow() {
  const token = location.pathname.split("/")[2] ?? "";
  const socket = connect("/overlay", { token });
  /** @type {number | null} */ let last = null;
  /** @type {ChatEvent[] | null} */ let held = []; // what comes before the answer to hello

  /** @param {ChatEvent[]} events */
  function fresh(events) {
    const news = events.filter((event) => event.sequence > (last ?? 0));
    if (news.length === 0) return;
    if (last !== null && news[0].sequence > last + 1) return void hello();
    last = news[news.length - 1].sequence;
    take(news);
  }

  async function hello() {
    held = [];
    const answer = await ask("hello", last === null ? {} : { after: last }, socket);
    if (!answer.ok) {
      if (socket.connected) setTimeout(hello, ASK_AGAIN_MS);
      return;
    }
    takeEmotes(answer.emotes);
    if (answer.reset) list.replaceChildren();
    take(answer.events);
    last = answer.sequence;
    const waiting = held ?? [];
    held = null;
    fresh(waiting);
  }

  socket.on("connect", () => void hello());
  socket.on("events", (/** @type {{events: ChatEvent[]}} */ { events }) => (held ? held.push(...events) : fresh(events)));
}

function test() {
  let turn = 0;
  const next = () => {
    const [username, role, text] = SAMPLES[turn % SAMPLES.length];
    const author = /** @type {any} */ ({ id: "", username, role });
    const event = { id: `test_${turn}`, sequence: turn, kind: "message", at_ms: Date.now(), author, text };
    take([{ ...event, reply_to: null, removed: false, data: {} }]);
    turn += 1;
  };
  next();
  setInterval(next, TEST_EVERY_MS);
}

if (query.get("test") === "1") test();
else follow();
