/** Cuts a message into what it is made of. Pure; nothing here makes HTML. */

/** @typedef {import("./chat-events.js").Emote} Emote */
/**
 * @typedef {{kind: "text", text: string} | {kind: "link", text: string, url: string}
 *   | {kind: "mention", text: string, name: string} | {kind: "emote", text: string, emote: Emote}} Token
 */

const PIECE = /(https?:\/\/[^\s<>"]{2,})|(?<![\w@])@([a-z0-9_]{3,24})(?!\w)|:([a-z0-9_]{2,24}):/gi;
const TAIL = /[.,;:!?'’”»)\]}]+$/;
const LINK_CHARS_SHOWN = 60;

/** The sentence's own punctuation is no part of a link, a closing bracket only if it was opened.
 * @param {string} found */
function trimmed(found) {
  const tail = TAIL.exec(found)?.[0] ?? "";
  const opened = tail.startsWith(")") && found.slice(0, -tail.length).includes("(") ? 1 : 0;
  return found.slice(0, found.length - tail.length + opened);
}

/** A link with the host as the browser will read it, so that look-alike letters show.
 * @param {string} found @returns {{url: string, text: string} | null} null for what is no plain web address */
export function link(found) {
  let url;
  try {
    url = new URL(found);
  } catch {
    return null;
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password) return null;
  const rest = found.slice(found.indexOf("//") + 2).replace(/^[^/?#]*/, "");
  const text = url.host + (rest === "/" ? "" : rest);
  const short = text.length > LINK_CHARS_SHOWN ? `${text.slice(0, LINK_CHARS_SHOWN - 1)}…` : text;
  return { url: url.href, text: short };
}

/** @param {string} text @param {Map<string, Emote>} emotes by code @returns {Token[]} */
export function tokens(text, emotes) {
  /** @type {Token[]} */
  const found = [];
  let from = 0;
  /** @param {number} to */
  const plain = (to) => {
    const last = found[found.length - 1];
    if (to <= from) return;
    if (last?.kind === "text") last.text += text.slice(from, to);
    else found.push({ kind: "text", text: text.slice(from, to) });
    from = to;
  };
  PIECE.lastIndex = 0;
  for (let match = PIECE.exec(text); match; match = PIECE.exec(text)) {
    const [all, address, name, code] = match;
    const emote = code === undefined ? undefined : emotes.get(code);
    const piece = address ? trimmed(address) : all;
    const web = address ? link(piece) : null;
    if (code !== undefined && !emote) {
      PIECE.lastIndex = match.index + all.length - 1; // its last colon may open the next one
      continue;
    }
    if (address && !web) continue;
    plain(match.index);
    if (web) found.push({ kind: "link", ...web });
    else if (name) found.push({ kind: "mention", text: all, name: name.toLowerCase() });
    else if (emote) found.push({ kind: "emote", text: all, emote });
    from = match.index + piece.length;
    PIECE.lastIndex = from;
  }
  plain(text.length);
  return found;
}

/** Whether there is nothing but a few emotes, which are then shown larger. @param {Token[]} pieces */
export function isEmotesAlone(pieces) {
  const emotes = pieces.filter((piece) => piece.kind === "emote").length;
  return emotes > 0 && emotes <= 3 && pieces.every((p) => p.kind === "emote" || !p.text.trim());
}
