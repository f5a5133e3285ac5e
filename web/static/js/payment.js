/** A payment's page while it waits: asks how it stands, and shows the page anew once it has ended. */

const PAUSES_MS = [1_500, 2_000, 3_000, 5_000, 8_000];

const box = /** @type {HTMLElement | null} */ (document.querySelector("[data-payment]"));

/** @param {string} id @param {string} before @param {number} turn */
async function look(id, before, turn) {
  try {
    const answer = await fetch(`/api/v1/payments/${id}`, { headers: { Accept: "application/json" } });
    if (answer.ok && (await answer.json()).state !== before) {
      location.reload();
      return;
    }
  } catch {
    // offline for a moment: the next turn asks again
  }
  wait(id, before, turn + 1);
}

/** @param {string} id @param {string} before @param {number} turn */
function wait(id, before, turn) {
  const pause = PAUSES_MS[Math.min(turn, PAUSES_MS.length - 1)];
  setTimeout(() => look(id, before, turn), pause);
}

if (box?.dataset.payment) wait(box.dataset.payment, box.dataset.state ?? "", 0);
