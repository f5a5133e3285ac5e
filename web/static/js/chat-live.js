/** Gives every chat of the page the server's room. */

import "./chat.js";
import { joinRoom, onState } from "./realtime.js";

for (const chat of document.querySelectorAll("live-chat")) {
  /** @type {import("./chat.js").LiveChat} */ (chat).connect({ joinRoom, onState });
}
