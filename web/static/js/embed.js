/** The player inside another site's page: it starts without sound. */

import "./player.js";

for (const player of document.querySelectorAll("live-player")) {
  /** @type {any} */ (player).volume?.startMuted();
}
