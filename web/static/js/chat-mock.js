/**
 * A room without a server, for design and tests: `data-mock` of <live-chat> names a script
 * ("rendered": nothing but what the page came with), and
 * `chat.mock` lets a test say anything. Not part of any page that people get, but for /-/patterns.
 */

import "./chat.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */

const NAMES = ["kofi", "ana_outdoors", "rahim", "nordlys", "tern", "owl_hours", "mira", "joan", "lena_k", "bo3"];
const WORDS = [
  "that blue is lovely",
  "which paper is this? it takes so much water",
  "good evening from Lisbon",
  "tea number four",
  "the mast line came out so clean",
  "@mira do you stretch the paper first?",
  "I was here for the lighthouse one, still my favourite",
  "ha",
  "see https://example.org/brushes/round-12?size=large for the brush",
  "back in five, leave it running",
  ":wave:",
  "the reflection needs to be darker than the boat, right",
];
const LONG = "Donaudampfschifffahrtsgesellschaft".repeat(5);
const RTL = ["مساء الخير من بيروت", "שלום לכולם, ציור יפה מאוד", "שלום mira, what a picture", "العربية then English"];
const CAST = { mira: "owner", lena_k: "moderator" };
const RULES = { slow_s: 0, followers_min: null, account_age_min: 0, emote_only: false, unique: false, links: "all", lockdown: false };
const COMMANDS = [
  ["help", "", "What you can type here"],
  ["timeout", "NAME LENGTH [reason]", "Nobody hears them for a while"],
  ["ban", "NAME [reason]", "They can’t write here any more"],
  ["slow", "SECONDS|off", "A pause between two messages of a person"],
  ["clear", "", "Remove all messages"],
  ["pin", "", "Keep the last message on top"],
].map(([name, usage, help]) => ({ name, usage, help }));

/** A disc as an emote. @param {string} code @param {number} hue @param {boolean} channel */
function emote(code, hue, channel) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="56" height="56"><circle cx="28" cy="28" r="26" fill="hsl(${hue} 70% 60%)"/><circle cx="20" cy="24" r="4"/><circle cx="36" cy="24" r="4"/><path d="M16 36q12 12 24 0" stroke="#000" stroke-width="4" fill="none"/></svg>`;
  const url = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return { code, url, width: 56, height: 56, animated: false, channel };
}

/** @param {number} count */
const emotes = (count) => [
  emote("wave", 40, true),
  emote("brush", 280, true),
  emote("boat", 200, true),
  emote("lol", 100, false),
  ...Array.from({ length: Math.max(0, count - 4) }, (_, i) => emote(`e${i}`, (i * 37) % 360, i % 3 === 0)),
];

/** @param {Record<string, any>} changes */
const youAre = (changes) => ({
  username: "joan", role: "viewer", can_write: true, why_not: null, code: null,
  until_ms: null, slow_s: 0, next_at_ms: null, follows: true, ...changes,
});

export class MockRoom {
  sequence = 0;
  /** @type {any} what the next answers are; a test sets it */ answer = null;
  /** @type {object[]} what was asked */ asked = [];
  /** @type {object[]} */ reports = [];
  /** @type {ChatEvent[]} */ history = [];
  rules = { ...RULES };
  you = youAre({});

  /** @param {string} script @param {any} you as the page was rendered */
  constructor(script, you) {
    this.script = script;
    this.emotes = emotes(script === "emotes" ? 200 : 6);
    if (you?.username || you?.code) this.you = youAre(you);
    if (script === "moderator") this.you = youAre({ username: "lena_k", role: "moderator" });
    if (script === "slow") {
      this.rules.slow_s = 8;
      this.you = youAre({ slow_s: 8 });
    }
  }

  /* As js/rooms.js */

  /** @param {string} _channel @param {any} handlers */
  joinRoom = (_channel, handlers) => {
    this.handlers = handlers;
    this.begin();
    if (this.script === "rendered") handlers.joined(this.join(false, []));
    else handlers.joined(this.join(true, this.history));
    return this;
  };

  /** @param {(state: string) => void} tell */
  onState = (tell) => {
    this.tell = tell;
    tell("connected");
  };

  /** @param {string} text @param {any} options */
  async say(text, options) {
    this.asked.push({ text, ...options });
    const told = typeof this.answer === "function" ? await this.answer(text, options) : this.answer;
    if (told) return told;
    if (text.startsWith("/")) return { ok: true, notice: `Done: ${text}` };
    await new Promise((done) => setTimeout(done, 250));
    const to = this.history.find((event) => event.id === options.reply_to);
    const reply = to ? { id: to.id, username: to.author?.username, text: to.text } : null;
    const event = this.push(this.you.username, text, { reply_to: reply, role: this.you.role });
    return { ok: true, id: event.id, sequence: event.sequence };
  }

  /** @param {any} action */
  async act(action) {
    this.asked.push(action);
    if (this.answer) return this.answer;
    if (action.type === "remove") this.tellOf("removed", { ids: [action.id], username: null, by: this.you.username });
    if (action.type === "pin") this.pin(action.id);
    if (action.type === "unpin") this.tellOf("unpinned", { by: this.you.username });
    if (["ban", "timeout"].includes(action.type)) this.silence(action.username);
    return { ok: true, notice: action.username ? `Done for ${action.username}.` : null };
  }

  /** @param {string} username */
  async card(username) {
    const role = CAST[/** @type {keyof typeof CAST} */ (username)] ?? "viewer";
    const lines = this.history.filter((event) => event.author?.username === username);
    const day = 86_400_000;
    return {
      ok: true, username, role, avatar_url: null, about: "Boats, mostly.", links: [{ name: "Shop", url: "https://boats.example.org" }], follows_since_ms: Date.now() - 40 * day, joined_at_ms: Date.now() - 400 * day,
      lines: this.you.role === "viewer" ? null : lines.length, restriction: null,
    };
  }

  /** @param {object} facts */
  report(facts) {
    this.reports.push(facts);
  }
  rejoin() {}
  leave() {
    clearInterval(this.timer);
  }

  /* For scripts and tests */

  /** @param {boolean} reset @param {ChatEvent[]} events */
  join(reset, events) {
    return {
      ok: true, channel: "mira", sequence: this.sequence, reset, events, pinned: this.pinned ?? null, rules: this.rules,
      emotes: this.emotes, commands: this.you.role === "viewer" ? COMMANDS.slice(0, 1) : COMMANDS, you: this.you,
      live: null, viewers: undefined, followers: undefined,
    };
  }

  /** @param {string | null} username @param {string} text @param {any} [more] @returns {ChatEvent} */
  event(username, text, more = {}) {
    const { role, kind = "message", at_ms = Date.now(), ...others } = more;
    this.sequence += 1;
    const author = username && {
      id: `usr_${username}`, username, role: role ?? CAST[/** @type {keyof typeof CAST} */ (username)] ?? "viewer",
    };
    const id = `msg_${this.sequence}`;
    return { sequence: this.sequence, kind, id, at_ms, author, text, reply_to: null, removed: false, data: {}, ...others };
  }

  /** Somebody writes. @param {string | null} username @param {string} text @param {any} [more] */
  push(username, text, more) {
    const event = this.event(username, text, more);
    this.history.push(event);
    if (this.history.length > 300) this.history.shift();
    this.handlers?.events([event]);
    return event;
  }

  /** @param {string} kind @param {any} data */
  tellOf(kind, data) {
    this.handlers?.events([{ ...this.event("lena_k", "", { kind }), data }]);
  }

  /** @param {string} id */
  pin(id) {
    const line = this.history.find((event) => event.id === id);
    this.pinned = line;
    this.tellOf("pinned", { id, by: "lena_k", line });
  }

  /** @param {string} username */
  silence(username) {
    const ids = this.history.filter((event) => event.author?.username === username).map((event) => event.id);
    this.tellOf("removed", { ids, username, by: "lena_k" });
  }

  /** @param {Record<string, any>} changes */
  setYou(changes) {
    this.you = { ...this.you, ...changes };
    this.handlers?.you(this.you);
  }

  begin() {
    if (this.script === "empty" || this.script === "rendered") return;
    const now = Date.now();
    const add = (/** @type {string | null} */ name, /** @type {string} */ text, /** @type {number} */ secondsAgo, /** @type {any} */ more = {}) => {
      const event = this.event(name, text, { at_ms: now - secondsAgo * 1000, ...more });
      this.history.push(event);
      return event;
    };
    add("tern", "anyone know when the next one is?", 90_000);
    add("mira", "Friday, same time", 89_960);
    WORDS.forEach((text, i) => add(NAMES[(i * 3) % 7], text, 900 - i * 30));
    const asked = add("kofi", "is that the same harbour as last week?", 400);
    add("kofi", "the one with the red boat", 392);
    add("mira", "Yes, from the other side. Low tide this time.", 380, {
      reply_to: { id: asked.id, username: "kofi", text: asked.text },
    });
    add("lena_k", "Prints of last week’s picture are in the shop until Sunday", 300, { kind: "announcement", data: { colour: "accent" } });
    add("tern", "spam spam", 250, { removed: true, text: "" });
    add("rahim", "@joan did you finish yours?", 120);
    add(null, "rahim follows Mira Paints.", 110, { kind: "notice" });
    add("ana_outdoors", "oh, the light on the water :boat: :brush:", 60);
    if (this.script !== "quiet") this.pinned = this.event("mira", "Palette today: ultramarine, burnt sienna, a little quinacridone. Questions are welcome, I read them between washes.");
    if (this.script === "words") [LONG, ...RTL].forEach((text, i) => add(NAMES[i], text, 40 - i));
    if (this.script === "emotes") this.emotes.slice(0, 40).forEach((one, i) => add(NAMES[i % 9], `:${one.code}: and :e${i}::e${i + 1}:`, 40 - i / 2));
    if (["flood", "life"].includes(this.script)) this.run(this.script === "flood" ? 40 : 2_500);
  }

  /** Lines without end. @param {number} everyMs */
  run(everyMs) {
    let turn = 0;
    this.timer = window.setInterval(() => {
      turn += 1;
      this.push(NAMES[(turn * 7) % NAMES.length], `${WORDS[(turn * 5) % WORDS.length]} ${turn}`);
      if (turn % 90 === 0) this.silence(NAMES[turn % 3]);
    }, everyMs);
  }
}

for (const element of document.querySelectorAll("live-chat")) {
  const chat = /** @type {any} */ (element);
  chat.mock = new MockRoom(chat.dataset.mock ?? "quiet", chat.first?.you);
  chat.connect(chat.mock);
}
