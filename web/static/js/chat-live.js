/** Gives every chat of the page the server's room. A dock comes with a token of its own. */

import "./chat.js";
import { chatSocket, onState } from "./realtime.js";
import { joinRoom } from "./rooms.js";

for (const element of document.querySelectorAll("live-chat")) {
  const chat = /** @type {import("./chat.js").LiveChat} */ (element);
  const { token } = chat.dataset;
  chatSocket(token ? { token } : undefined);
  chat.connect({ joinRoom, onState });
}
