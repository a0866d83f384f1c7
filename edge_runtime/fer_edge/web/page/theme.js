// Light or dark: as the system is, until somebody switches.

const KEY = "fer-edge-colours";

/** Keep what is chosen; a browser may forbid that. */
function remembered(value) {
  try {
    if (value === undefined) return localStorage.getItem(KEY);
    if (value === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
  return null;
}

/** Let a button switch; `changed` is called when the colours are others. */
export function switchBy(button, changed) {
  const sheet = document.getElementById("dark");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = remembered();

  function apply() {
    const dark = chosen === null ? system.matches : chosen === "dark";
    sheet.media = dark ? "all" : "not all";
    button.setAttribute("aria-pressed", String(dark));
    changed();
    return dark;
  }

  button.addEventListener("click", () => {
    const dark = button.getAttribute("aria-pressed") !== "true";
    // Whoever switches back to what the system does follows it again.
    chosen = dark === system.matches ? null : dark ? "dark" : "light";
    remembered(chosen);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
