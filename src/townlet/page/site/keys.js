// The keyboard: what each key does, and the list of them that `?` shows.

import { change, letGo, liveOn } from "townlet/alive/powers.js";
import { SPEEDS } from "townlet/app.js";
import { element } from "townlet/drawing.js";
import { act, begin, controls, leave } from "townlet/game.js";

const FAR = 10; // steps at once, with Shift

/** Keys: [those that are heard, how they are told, what they do in words, what they do to an app]. */
export const KEYS = [
  [[" "], "Space", "play or pause", (app) => app.toggle()],
  [["ArrowRight", "."], "→", "a step on", (app) => stepBy(app, 1)],
  [["ArrowLeft", ","], "←", "a step back", (app) => stepBy(app, -1)],
  [["Shift+ArrowRight"], "Shift →", `${FAR} steps on`, (app) => stepBy(app, FAR)],
  [["Shift+ArrowLeft"], "Shift ←", `${FAR} steps back`, (app) => stepBy(app, -FAR)],
  [["Home"], "Home", "the first step", (app) => stepBy(app, -Infinity)],
  [["End"], "End", "the last step", (app) => stepBy(app, Infinity)],
  [["n"], "N", "the next event", (app) => app.goToEvent(1)],
  [["p"], "P", "the event before", (app) => app.goToEvent(-1)],
  [["j", "ArrowDown"], "J ↓", "the next life", (app) => app.follow(app.index + 1)],
  [["k", "ArrowUp"], "K ↑", "the life before", (app) => app.follow(app.index - 1)],
  [["f"], "F", "as the agent sees it, or as it is", (app) => app.setLayer("fog", !app.layers.fog)],
  [["t"], "T", "side by side with others on this map", (app) => app.setLayer("tiles", !app.layers.tiles)],
  [["b"], "B", "live on from here, beside this life", liveOn],
  [["x"], "X", "forget now", (app) => change(app, "forget")],
  [["Delete"], "Del", "let go of a life that left another", letGo],
  [["g"], "G", "play it yourself", (app) => begin(app, 0)],
  [SPEEDS.map((_, index) => String(index + 1)), `1 to ${SPEEDS.length}`, "slow to fast", (app, key) => app.setSpeed(SPEEDS[key - 1])],
];

/** What a key does, a row of KEYS; undefined for nothing. */
export function meaningOf({ key, shiftKey, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return undefined;
  const name = shiftKey && key.startsWith("Arrow") ? `Shift+${key}` : key.length === 1 ? key.toLowerCase() : key;
  return KEYS.find(([heard]) => heard.includes(name));
}

/** Let keys work, wherever they are pressed but in fields that take them themselves. */
export function bindKeys(app, { help }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || takesKeys(event.target, event.key)) return;
    if (event.key === "?") help.toggle();
    else if (app.game !== null) {
      if (!playKey(app, event)) return;
    } else if (app.track !== null) {
      const meaning = meaningOf(event);
      if (meaning === undefined) return;
      meaning[3](app, event.key);
    } else return;
    event.preventDefault();
  });
}

const PLAYED = {
  ArrowUp: "up", w: "up", ArrowLeft: "left", a: "left", ArrowDown: "down", s: "down", ArrowRight: "right", d: "right",
  " ": "use", Enter: "use", ".": "wait",
};

/** What a key does in a game; returns whether it does anything. */
function playKey(app, { key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return false;
  if (key === "Escape") leave(app);
  const meant = PLAYED[key.length === 1 ? key.toLowerCase() : key];
  const action = meant === undefined ? undefined : controls(app.track.header.world)[meant];
  if (action !== undefined) act(app, action);
  return key === "Escape" || meant !== undefined;
}

/** The list of keys: {root, toggle}. */
export function makeHelp() {
  const rows = [...KEYS, [["?"], "?", "this list"], [["Escape"], "Esc", "close, let go"]];
  const list = element("dl", {}, ...rows.flatMap(([, shown, what]) => [
    element("dt", {}, element("kbd", { text: shown })), element("dd", { text: what }),
  ]));
  const close = element("button", { type: "button", class: "main", text: "Close" });
  const root = element("dialog", { class: "help", "aria-label": "Keys" }, element("h2", { text: "Keys" }), list, close);
  close.addEventListener("click", () => root.close());
  return { root, toggle: () => (root.open ? root.close() : root.showModal()) };
}

function stepBy(app, steps) {
  app.pause();
  app.seek(Math.max(0, Math.min(app.last, app.frame + steps)));
}

function takesKeys(target, key) {
  if (target.closest?.("dialog") !== null && key !== "?") return true;
  if (target.matches?.("input[type=range], button, summary")) return key === " " || key === "Enter" || (target.matches("input") && key.startsWith("Arrow"));
  return target.matches?.("input, select, textarea, [contenteditable]") ?? false;
}
