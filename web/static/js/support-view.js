/** The goal's bar and the board of tippers, on the channel's page and in overlays. */

/** @typedef {{title: string, target_minor: number, raised_minor: number, target: string, raised: string,
 *   percent: number, ends_at_ms: number | null}} Goal */
/** @typedef {{name: string, amount: string | null}} Tipper */
/** @typedef {{goal: Goal | null, tippers: Tipper[] | null, board: {period: string, tippers: Tipper[]} | null}} Support */

/** @param {Element | null} place @param {string} text */
function write(place, text) {
  if (place && place.textContent !== text) place.textContent = text;
}

/** @param {Element} root holding one .goal @param {Goal | null} goal */
export function showGoal(root, goal) {
  const box = /** @type {HTMLElement | null} */ (root.querySelector(".goal"));
  if (!box) return;
  box.hidden = goal === null;
  if (!goal) return;
  write(box.querySelector("[data-goal-title]"), goal.title);
  write(box.querySelector("[data-goal-raised]"), goal.raised);
  write(box.querySelector("[data-goal-target]"), goal.target);
  write(box.querySelector("[data-goal-percent]"), `${goal.percent} %`);
  const bar = box.querySelector("progress");
  if (bar) bar.value = Math.min(100, goal.percent);
}

/** @param {Element} root holding one .tippers @param {Tipper[] | null} tippers */
export function showBoard(root, tippers) {
  const list = root.querySelector(".tippers");
  if (!list) return;
  list.replaceChildren(
    ...(tippers ?? []).map((one) => {
      const row = document.createElement("li");
      const name = document.createElement("bdi");
      name.textContent = one.name;
      row.append(name);
      if (one.amount !== null) row.append(Object.assign(document.createElement("span"), { className: "money", textContent: one.amount }));
      return row;
    }),
  );
  const box = /** @type {HTMLElement | null} */ (list.closest("[data-board]"));
  if (box) box.hidden = !tippers?.length;
}

/** Whether this is the moment in which the goal is reached. @param {Goal | null} before @param {Goal | null} now */
export function celebrates(before, now) {
  if (!before || !now || before.title !== now.title) return false;
  return before.raised_minor < before.target_minor && now.raised_minor >= now.target_minor;
}
