/**
 * <live-chat>: joins the room (a source), the lines, the composer, menus and the announcer.
 * Server-rendered by macros/chat.html. Who gives it a source: chat-live.js, or chat-mock.js for
 * design and tests. What the room says of the stream goes on as a "room-live" event.
 */

import { ChatAnnouncer } from "./chat-announcer.js";
import { Composer } from "./chat-composer.js";
import { noticeText, ruleLabels } from "./chat-events.js";
import { lineText, make, nameOf } from "./chat-line.js";
import { LineMenu } from "./chat-menu.js";
import { chatSettings, wireSettings } from "./chat-settings.js";
import { TipRow } from "./chat-tips.js";
import { ChatView } from "./chat-view.js";
import { newNonce, WaitingLines } from "./chat-waiting.js";
import { serverNowMs } from "./format.js";
import { openPopover } from "./popover.js";

/** @typedef {import("./chat-events.js").ChatEvent} ChatEvent */
/** @typedef {import("./chat-events.js").You} You */
/**
 * @typedef {object} Room
 * @property {(text: string, options: {reply_to?: string, nonce: string}) => Promise<any>} say
 * @property {(action: {type: string}) => Promise<any>} act
 * @property {(username: string) => Promise<any>} card
 * @property {() => void} leave
 * @property {(facts: object) => void} [report]
 * @property {() => void} [rejoin]
 */
/**
 * @typedef {object} Source as js/realtime.js and js/rooms.js
 * @property {(channel: string, handlers: object, after?: number | null) => Room} joinRoom
 * @property {(tell: (state: "connected"|"reconnecting"|"offline") => void) => void} onState
 */

const NAMES_MAX = 100;
const LOST_SAID_MS = 3_000; // a shorter break isn't worth a word

export class LiveChat extends HTMLElement {
  /** @type {import("./chat-events.js").Rules | null} */ #rules = null;
  /** @type {import("./chat-events.js").Command[]} */ #commands = [];
  /** @type {string[]} */ #names = [];
  /** @type {[string, string][]} */ #emoji = [];
  /** @type {Promise<import("./chat-emotes.js").EmotePicker> | undefined} */ #emotes;
  /** @type {import("./chat-comments.js").Comments | undefined} */ comments;
  /** @type {Room | null} */ #room = null;
  /** @type {import("./chat-card.js").UserCard | undefined} */ #people;
  /** @type {number | undefined} */ #lost;
  #joined = false;

  connectedCallback() {
    if (this.view) return;
    const first = JSON.parse(this.querySelector("script[data-first]")?.textContent ?? "{}");
    this.first = first;
    this.context = {
      me: this.dataset.me || null,
      emotes: new Map(),
      icons: this.dataset.icons ?? "",
    };
    this.view = new ChatView(this, this.context);
    this.tips = new TipRow(/** @type {HTMLElement} */ (this.querySelector(".chat-tips")), (id) => this.view?.goTo(id));
    this.announcer = new ChatAnnouncer(() => chatSettings().announce, () => this.context?.me ?? null);
    this.#wireComposer();
    this.#wireMenus();
    this.#wireHead();
    this.#takeState(first);
    this.view.reset(this.#lines(first.events ?? []));
  }

  disconnectedCallback() {
    this.#room?.leave();
  }

  /** What is asked of the server besides: the player's reports go the same way. */
  get room() {
    return this.#room;
  }

  /** @param {Source} source */
  connect(source) {
    this.#room = source.joinRoom(
      this.dataset.channel ?? "",
      {
        joined: (/** @type {any} */ answer) => this.#joinedRoom(answer),
        events: (/** @type {ChatEvent[]} */ events) => this.#heard(events, true),
        you: (/** @type {You} */ you) => this.#you(you),
        live: (/** @type {any} */ live) => this.#tell({ live }),
        presence: (/** @type {any} */ presence) => this.#tell(presence),
        support: (/** @type {any} */ support) => this.#tell({ support }),
        refused: (/** @type {any} */ error) => this.#alert(error?.message ?? "The chat can’t be reached."),
      },
      this.first?.sequence ?? null,
    );
    source.onState((state) => this.#connection(state));
  }

  /* What the room says */

  /** @param {any} answer */
  #joinedRoom(answer) {
    this.#takeEmotes(answer.emotes ?? []);
    if (answer.reset) this.view?.reset(this.#lines(answer.events));
    else this.#heard(answer.events, this.#joined);
    this.#takeState(answer);
    this.#joined = true;
    this.dataset.joined = ""; // tests wait for it
    this.waiting?.arrived(answer.events);
    this.waiting?.sendAgain();
    this.#tell({ live: answer.live, viewers: answer.viewers, followers: answer.followers });
  }

  /** @param {any} state of a join */
  #takeState(state) {
    if (state.emotes) this.#takeEmotes(state.emotes);
    if (state.commands) this.#commands = state.commands;
    if (state.rules) this.#takeRules(state.rules);
    if (state.kept) this.tips?.reset(state.kept);
    if ("pinned" in state) this.#pin(state.pinned);
    if (state.you) this.#you(state.you);
  }

  /** @param {ChatEvent[]} events @param {boolean} isNew not those of the history */
  #heard(events, isNew) {
    const view = this.view;
    if (!view) return;
    for (const event of events) {
      const { data } = event;
      if (event.kind === "removed") {
        view.remove(data.ids);
        this.tips?.remove(data.ids);
        this.comments?.remove(data.ids);
        this.composer?.removed(data.ids);
      } else if (event.kind === "cleared") {
        view.clear();
        this.tips?.clear();
        this.composer?.reply(null);
        this.comments?.clear();
      } else if (event.kind === "pinned") this.#pin(data.line ?? null);
      else if (event.kind === "unpinned") this.#pin(null);
      else if (event.kind === "emotes") this.#takeEmotes(data.emotes);
      view.add(this.#lines([event]));
    }
    this.tips?.add(events);
    this.waiting?.arrived(events);
    this.comments?.add(events);
    if (isNew) this.announcer?.heard(events);
  }

  /** What becomes a line; changed rules become a sentence. @param {ChatEvent[]} events */
  #lines(events) {
    const lines = [];
    for (const event of events) {
      if (event.author && event.kind === "message") this.#met(event.author.username);
      const text = event.kind === "rules" || event.kind === "cleared" ? noticeText(event, this.#rules) : "";
      if (event.kind === "rules") this.#takeRules(event.data.rules);
      if (text) lines.push({ ...event, kind: "notice", text });
      else if (["message", "announcement", "notice"].includes(event.kind)) lines.push(event);
    }
    return lines;
  }

  /** @param {string} username */
  #met(username) {
    if (this.#names[0] === username) return;
    this.#names = [username, ...this.#names.filter((name) => name !== username)].slice(0, NAMES_MAX);
  }

  /** @param {import("./chat-events.js").Emote[]} emotes */
  #takeEmotes(emotes) {
    this.context?.emotes.clear();
    for (const emote of emotes) this.context?.emotes.set(emote.code, emote);
  }

  /** @param {import("./chat-events.js").Rules} rules */
  #takeRules(rules) {
    this.#rules = rules;
    this.composer?.slow(rules.slow_s);
    const list = /** @type {HTMLElement} */ (this.querySelector(".chat-rules"));
    const labels = ruleLabels(rules);
    list.hidden = labels.length === 0;
    list.replaceChildren(...labels.map((label) => make("li", "", label)));
  }

  /** @param {ChatEvent | null} event */
  #pin(event) {
    const box = /** @type {HTMLElement} */ (this.querySelector(".chat-pinned"));
    const body = /** @type {HTMLElement} */ (box.querySelector("[data-pinned]"));
    box.hidden = !event?.author;
    if (!event?.author || !this.context) return;
    body.replaceChildren(nameOf(event.author, this.context), " ", lineText(event.text, this.context));
    box.toggleAttribute("data-folded", true);
    const fold = /** @type {HTMLElement} */ (box.querySelector("[data-fold-pinned]"));
    fold.setAttribute("aria-expanded", "false");
    fold.hidden = body.scrollHeight <= body.clientHeight + 1;
  }

  /** @param {You} you */
  #you(you) {
    const before = this.composer?.you;
    const wasShut = before && !before.can_write;
    this.dataset.role = you.role;
    this.composer?.show(you);
    const isShut = !you.can_write && ["banned", "timed_out"].includes(you.code ?? "");
    if (isShut && before && !wasShut) this.#alert(you.why_not ?? "You can’t write here right now.");
    else if (you.can_write && wasShut) this.#alert("");
    this.#tell({ follows: you.follows });
  }

  /** @param {Record<string, any>} facts */
  #tell(facts) {
    document.dispatchEvent(new CustomEvent("room-live", { detail: facts }));
  }

  /** @param {"connected"|"reconnecting"|"offline"} state */
  #connection(state) {
    const label = /** @type {HTMLElement} */ (this.querySelector(".chat-connection"));
    clearTimeout(this.#lost);
    if (state === "connected") {
      label.hidden = true;
      if (this.dataset.lost !== undefined) this.#alert("");
      delete this.dataset.lost;
      return;
    }
    this.#lost = window.setTimeout(() => {
      label.hidden = false;
      label.textContent = state === "offline" ? "No connection" : "Connecting";
      if (!this.#joined && state !== "offline") return;
      this.dataset.lost = "";
      this.#alert("The connection to the chat is lost. It comes back by itself.");
    }, LOST_SAID_MS);
  }

  /** Shown and spoken at once; "" takes it back. @param {string} text */
  #alert(text) {
    const line = /** @type {HTMLElement} */ (this.querySelector(".chat-alert"));
    line.textContent = text;
    line.classList.toggle("visually-hidden", !text);
  }

  /* Wiring */

  #wireComposer() {
    const context = /** @type {import("./chat-line.js").LineContext} */ (this.context);
    const view = /** @type {ChatView} */ (this.view);
    const waiting = new WaitingLines(
      view.waiting,
      context,
      (text, options) => this.#ask((room) => room.say(text, options)),
      {
        failed: (answer) => {
          const after = answer.error?.retry_after_s;
          if (after) composer.waitUntil(serverNowMs() + after * 1000);
        },
      },
    );
    const composer = new Composer(this, {
      send: (text, replyTo) => {
        if (text.startsWith("/")) void this.#command(text, replyTo);
        else if (waiting.isFull) return false;
        else waiting.send(text, replyTo, this.dataset.role ?? "viewer");
        view.toBottom();
        return true;
      },
      over: () => this.#room?.rejoin?.(),
    });
    this.waiting = waiting;
    this.composer = composer;
    // only who writes needs them
    composer.field.addEventListener("focus", () => void this.#suggestions(), { once: true });
    const opener = /** @type {HTMLElement} */ (this.querySelector("[data-open-picker]"));
    opener.addEventListener("click", async () => (await this.#picker()).toggle());
  }

  async #suggestions() {
    void this.#picker();
    const { Suggestions, suggestionsFrom } = await import("./chat-suggest.js");
    const known = {
      names: () => this.#names.filter((name) => name !== this.context?.me),
      commands: () => this.#commands,
      emotes: () => this.context?.emotes.values() ?? [],
      emoji: () => this.#emoji,
    };
    const list = /** @type {HTMLElement} */ (this.querySelector(".chat-suggestions"));
    const field = /** @type {Composer} */ (this.composer).field;
    new Suggestions(field, list, suggestionsFrom(known));
  }

  /** The emote picker, loaded once. */
  #picker() {
    this.#emotes ??= import("./chat-emotes.js").then(({ EMOJI, EmotePicker }) => {
      const composer = /** @type {Composer} */ (this.composer);
      this.#emoji = EMOJI;
      return new EmotePicker(
        /** @type {HTMLElement} */ (this.querySelector(".chat-picker")),
        /** @type {HTMLElement} */ (this.querySelector("[data-open-picker]")),
        () => this.context?.emotes.values() ?? [],
        (text) => composer.insert(text),
        () => composer.field.focus(),
      );
    });
    return this.#emotes;
  }

  /** @param {string} text with a slash command @param {import("./chat-events.js").ReplyTo | null} to */
  async #command(text, to) {
    const options = to ? { nonce: newNonce(), reply_to: to.id } : { nonce: newNonce() };
    const answer = await this.#ask((room) => room.say(text, options));
    if (answer.notice || !answer.ok) this.#answer(answer);
    if (!answer.ok && this.composer && !this.composer.field.value) this.composer.fill(text);
  }

  /** Says what an action did, to this reader alone. @param {any} answer */
  #answer(answer) {
    const text = answer.ok ? answer.notice : (answer.error?.message ?? "That did not work.");
    if (!text) return;
    this.view?.tell(text, answer.ok ? "info" : "circle-alert");
    this.announcer?.say(text);
  }

  /** @param {(room: Room) => Promise<any>} question */
  async #ask(question) {
    if (!this.#room) return { ok: false, error: { code: "offline", message: "The chat isn’t connected yet." } };
    return question(this.#room);
  }

  #wireMenus() {
    const view = /** @type {ChatView} */ (this.view);
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (this.querySelector(name));
    const act = async (/** @type {import("./chat-menu.js").Action} */ action) =>
      this.#answer(await this.#ask((room) => room.act(action)));
    const role = () => this.composer?.you?.role ?? "viewer";
    const canWrite = () => this.composer?.you?.can_write ?? false;
    new LineMenu(view, part(".chat-menu"), part(".line-tools"), {
      role,
      canWrite,
      reply: (to) => this.composer?.reply(to),
      act,
      card: async (username, anchor) => (await this.#card(act)).open(username, anchor),
    });
    part("[data-unpin]").addEventListener("click", () => void act({ type: "unpin" }));
    part("[data-fold-pinned]").addEventListener("click", (event) => {
      const folded = part(".chat-pinned").toggleAttribute("data-folded");
      /** @type {HTMLElement} */ (event.currentTarget).setAttribute("aria-expanded", String(!folded));
    });
  }

  /** @param {(action: import("./chat-menu.js").Action) => void} act */
  async #card(act) {
    const { UserCard } = await import("./chat-card.js");
    this.#people ??= new UserCard(
      /** @type {HTMLElement} */ (this.querySelector(".chat-card")),
      this.context?.icons ?? "",
      {
        me: () => this.context?.me ?? null,
        role: () => this.composer?.you?.role ?? "viewer",
        canWrite: () => this.composer?.you?.can_write ?? false,
        ask: (username) => this.#ask((room) => room.card(username)),
        act,
        mention: (username) => {
          this.composer?.insert(`@${username}`);
          this.composer?.field.focus();
        },
      },
    );
    return this.#people;
  }

  #wireHead() {
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (this.querySelector(name));
    const settings = part(".chat-settings");
    const opener = part("[data-open-settings]");
    wireSettings(/** @type {HTMLFormElement} */ (settings.querySelector("form")));
    opener.addEventListener("click", () => openPopover(settings, opener.getBoundingClientRect(), opener));
    const follow = () => this.toggleAttribute("data-times", chatSettings().times);
    document.addEventListener("chat-settings", follow);
    follow();
    void this.#wireComments();
  }

  /** Comments on the picture, where there is one; the chat itself comes first. */
  async #wireComments() {
    const player = /** @type {HTMLElement | null} */ (document.querySelector("live-player:not([data-preview])"));
    if (!player || !this.context || this.dataset.comments === undefined) {
      this.querySelector("button[data-comments]")?.remove();
      return;
    }
    const { Comments } = await import("./chat-comments.js");
    this.comments = new Comments(player, this, this.context);
  }
}

customElements.define("live-chat", LiveChat);
