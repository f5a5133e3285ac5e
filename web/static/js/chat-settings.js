/** What a reader prefers; kept in this browser. */

/** @typedef {{times: boolean, announce: "off"|"mentions"|"all", comments: "auto"|"on"|"off"}} Settings */

const KEY = "chat";
/** @type {Settings} */
const DEFAULTS = { times: false, announce: "mentions", comments: "auto" };

/** @returns {Settings} */
function stored() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULTS }; // nothing stored, or storage is blocked
  }
}

let settings = stored();

export function chatSettings() {
  return settings;
}

/** @param {Partial<Settings>} changes */
export function changeSettings(changes) {
  settings = { ...settings, ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // storage is blocked: it lasts as long as the page
  }
  document.dispatchEvent(new CustomEvent("chat-settings"));
}

/** Makes a form follow the settings and set them. @param {HTMLFormElement} form */
export function wireSettings(form) {
  const show = () => {
    for (const field of form.querySelectorAll("input")) {
      const value = settings[/** @type {keyof Settings} */ (field.name)];
      field.checked = field.type === "checkbox" ? value === true : value === field.value;
    }
  };
  show();
  form.addEventListener("change", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    changeSettings({ [field.name]: field.type === "checkbox" ? field.checked : field.value });
  });
  document.addEventListener("chat-settings", show);
}
