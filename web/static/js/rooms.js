/** Rooms of channels in the page's connection: they lose nothing and repeat nothing. */

import { RETRY_MS, ask, chatSocket } from "./realtime.js";

/** @typedef {import("./realtime.js").Ack} Ack
 * @typedef {import("./realtime.js").Refusal} Refusal */
/** @typedef {{sequence: number, kind: string, id: string, [key: string]: any}} ChatEvent */
/** @typedef {{joined?: (answer: Ack) => void, events?: (events: ChatEvent[]) => void,
 *   you?: (you: any) => void, live?: (live: any) => void, presence?: (presence: any) => void,
 *   support?: (support: any) => void,
 *   refused?: (error: Refusal | undefined) => void}} RoomHandlers */

const WORTH_RETRYING = ["timeout", "offline", "rate_limited", "unavailable"];

/** @type {Map<string, Room>} */ const rooms = new Map();

/** A channel's room, followed over reconnects; the modules of a page share it. */
class Room {
  /** @type {Set<RoomHandlers>} */ handlers = new Set();
  /** @type {number | null} */ #last = null;
  /** @type {ChatEvent[][]} */ #held = []; // what arrives before the answer to `join`
  #joining = false;

  /** @param {string} channel */
  constructor(channel) {
    this.channel = channel;
    for (const name of ["events", "you", "live", "presence", "support"]) {
      chatSocket().on(name, (/** @type {any} */ packet) => {
        if (packet.channel !== channel || this.handlers.size === 0) return;
        if (name !== "events") this.#tell(name, packet[name] ?? packet);
        else if (this.#joining) this.#held.push(packet.events);
        else this.#take(packet.events);
      });
    }
    chatSocket().on("connect", () => this.join());
  }

  /** @param {string} name @param {any} value */
  #tell(name, value) {
    for (const one of this.handlers) /** @type {any} */ (one)[name]?.(value);
  }

  /** @param {ChatEvent[]} events */
  #take(events) {
    const last = this.#last ?? 0;
    const fresh = events.filter((event) => event.sequence > last);
    if (fresh.length === 0) return;
    if (fresh[0].sequence > last + 1) return void this.join(); // a gap: ask for what is missing
    this.#last = fresh[fresh.length - 1].sequence;
    this.#tell("events", fresh);
  }

  /** @param {{anew?: boolean}} [how] anew: with the latest lines instead of the missing ones */
  async join({ anew = false } = {}) {
    const { channel } = this;
    if (anew) this.#last = null;
    if (this.#joining || this.handlers.size === 0 || !chatSocket().connected) return;
    this.#joining = true;
    const [id, after] = [chatSocket().id, this.#last];
    const answer = await ask("join", after === null ? { channel } : { channel, after });
    this.#joining = false;
    const held = this.#held.splice(0);
    if (chatSocket().id !== id || after !== this.#last) return void this.join(); // outdated by now
    if (!answer.ok) {
      this.#tell("refused", answer.error);
      if (!WORTH_RETRYING.includes(answer.error?.code ?? "")) return;
      const waitMs = RETRY_MS + (answer.error?.retry_after_s ?? 0) * 1000;
      return void setTimeout(() => this.join(), waitMs);
    }
    this.#last = answer.sequence;
    for (const name of ["joined", "you", "live", "presence"]) {
      this.#tell(name, answer[name] ?? answer);
    }
    for (const events of held) this.#take(events);
  }
}

/** Joins a channel's room. `joined(answer)` comes with each join: `answer.reset` says that
 * `answer.events` replaces the lines shown so far; else they follow on, as those handed to `events`
 * do: in order, each once. `you`, `live`, `presence` come with each join and each change.
 * @param {string} channel @param {RoomHandlers} handlers */
export function joinRoom(channel, handlers) {
  const room = rooms.get(channel) ?? new Room(channel);
  rooms.set(channel, room);
  room.handlers.add(handlers);
  queueMicrotask(() => room.join({ anew: true })); // once for all who join in this turn
  return {
    rejoin: () => room.join(), // after a log-in, a follow and the like
    say: (/** @type {string} */ text, /** @type {{reply_to?: string, nonce: string}} */ more) =>
      ask("say", { channel, text, ...more }),
    act: (/** @type {object} */ action) => ask("act", { channel, action }),
    card: (/** @type {string} */ username) => ask("card", { channel, username }),
    /** The player's facts, every 10 s; lost rather than late. @param {object} facts */
    report: (facts) => chatSocket().volatile.emit("report", { channel, ...facts }),
    leave() {
      if (room.handlers.delete(handlers) && room.handlers.size === 0) void ask("leave", { channel });
    },
  };
}
