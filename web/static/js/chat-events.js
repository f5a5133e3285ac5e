/** What chat events are, and what they say in words. Pure: shared by the page, overlays and tests. */

/**
 * @typedef {{id: string, username: string, role: "viewer"|"moderator"|"owner"|"admin"}} Author
 * @typedef {{id: string, username: string, text: string}} ReplyTo
 * @typedef {{code: string, url: string, width: number, height: number, animated: boolean, channel: boolean}} Emote
 * @typedef {{slow_s: number, followers_min: number | null, account_age_min: number, emote_only: boolean,
 *   unique: boolean, links: "all"|"moderators", lockdown: boolean}} Rules
 * @typedef {{username: string | null, role: string, can_write: boolean, why_not: string | null,
 *   code: string | null, until_ms: number | null, slow_s: number, next_at_ms: number | null, follows: boolean}} You
 * @typedef {{name: string, usage: string, help: string}} Command
 * @typedef {object} ChatEvent
 * @property {number} sequence
 * @property {string} kind
 * @property {string} id
 * @property {number} at_ms
 * @property {Author | null} author
 * @property {string} text
 * @property {ReplyTo | null} reply_to
 * @property {boolean} removed
 * @property {Record<string, any>} data
 */

export const TEXT_CHARS_MAX = 500;
export const HUES = 12;

/** @param {string} role */
export function moderates(role) {
  return role === "moderator" || role === "owner" || role === "admin";
}

/** One of 12 colours by name (FNV-1a); routes/pages/chat.py says the same. @param {string} name */
export function hueOf(name) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % HUES;
}

/** @param {string} text @param {string | null} name whether `text` speaks to `name` */
export function mentions(text, name) {
  if (!name) return false;
  return new RegExp(`(^|[^\\w@])@${name}(?!\\w)`, "i").test(text);
}

/** Whether a line is for `me`: a mention, or an answer to a line of theirs.
 * @param {ChatEvent} event @param {string | null} me */
export function isForMe(event, me) {
  if (!me || !event.author || event.author.username === me) return false;
  return event.reply_to?.username === me || mentions(event.text, me);
}

/** Text as it is spoken: emotes by their names. @param {string} text */
export function spoken(text) {
  return text.replace(/:([a-z0-9_]{2,24}):/gi, "$1");
}

/** @param {number} seconds */
export function lengthInWords(seconds) {
  const units = [
    [86_400, "day"],
    [3_600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  for (const [size, unit] of /** @type {[number, string][]} */ (units)) {
    if (seconds >= size && (seconds % size === 0 || seconds > 2 * size)) {
      const count = Math.round(seconds / size);
      return `${count} ${unit}${count === 1 ? "" : "s"}`;
    }
  }
  return "0 seconds";
}

/** The rules in force, each as one short label. @param {Rules | null} rules @returns {string[]} */
export function ruleLabels(rules) {
  if (!rules) return [];
  const labels = [];
  if (rules.lockdown) labels.push("Only moderators can write");
  if (rules.slow_s) labels.push(`Slow mode, ${lengthInWords(rules.slow_s)}`);
  if (rules.followers_min === 0) labels.push("Followers only");
  else if (rules.followers_min) {
    labels.push(`Followers of ${lengthInWords(rules.followers_min * 60)} only`);
  }
  if (rules.account_age_min) {
    labels.push(`Accounts older than ${lengthInWords(rules.account_age_min * 60)}`);
  }
  if (rules.emote_only) labels.push("Emotes only");
  if (rules.unique) labels.push("No repeated messages");
  if (rules.links === "moderators") labels.push("No links");
  return labels;
}

/** The sentence of an event that is no line of a person; "" for what shows in another way.
 * @param {ChatEvent} event @param {Rules | null} before rules before it */
export function noticeText(event, before) {
  const by = event.data.by ?? event.author?.username ?? "A moderator";
  if (event.kind === "notice") return event.text;
  if (event.kind === "cleared") return `${by} cleared the chat.`;
  if (event.kind !== "rules") return "";
  const was = rulePhrases(before);
  const now = rulePhrases(event.data.rules);
  const on = [...now].filter(([name, phrase]) => was.get(name) !== phrase).map(([, phrase]) => phrase);
  const off = [...was.keys()].filter((name) => !now.has(name));
  const parts = [on.length ? `turned on ${on.join(", ")}` : "", off.length ? `turned off ${off.join(", ")}` : ""];
  const said = parts.filter(Boolean).join(" and ");
  return said && `${by} ${said}.`;
}

/** The rules in force as parts of a sentence: name, and with its length. @param {Rules | null} rules */
function rulePhrases(rules) {
  const phrases = /** @type {Map<string, string>} */ (new Map());
  const add = (/** @type {unknown} */ isOn, /** @type {string} */ name, detail = "") => {
    if (isOn) phrases.set(name, detail ? `${name} (${detail})` : name);
  };
  const minutes = (/** @type {number} */ count) => lengthInWords(count * 60);
  if (!rules) return phrases;
  const { slow_s, followers_min, account_age_min } = rules;
  add(rules.lockdown, "the lock");
  add(slow_s, "slow mode", slow_s % 60 ? `${slow_s} s` : lengthInWords(slow_s));
  add(followers_min !== null, "followers only", followers_min ? minutes(followers_min) : "");
  add(account_age_min, "a minimum account age", minutes(account_age_min));
  add(rules.emote_only, "emotes only");
  add(rules.unique, "no repeated messages");
  add(rules.links === "moderators", "no links");
  return phrases;
}
