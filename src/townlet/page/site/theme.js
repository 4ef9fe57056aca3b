// Light or dark: as the machine has it, until somebody chooses. Which one is on stands at the page's root.

let chosen = false; // whether somebody chose

/** Have the machine's theme, and follow it; `changed()` is called at each change of what is shown. */
export function bindTheme(changed) {
  const machine = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { if (!chosen) set(machine.matches ? "dark" : "light"); };
  follow();
  machine.addEventListener("change", follow);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

/** Change from light to dark, or back. */
export function changeTheme() {
  chosen = true;
  set(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

function set(theme) {
  document.documentElement.dataset.theme = theme;
}
