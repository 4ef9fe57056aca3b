// What views share: what is made once and kept, for a header or a life, and a choice between buttons.

import { element } from "townlet/drawing.js";

/** A function that calls `make(of)` when `of` is another than before, or a life that grew, and keeps what it made. */
export function madeOnce(make) {
  let kept = null, last = null, frames = null, changes = null;
  return (of) => {
    if (of !== last || of.frames !== frames || of.changes?.length !== changes) {
      [kept, last, frames, changes] = [make(of), of, of.frames, of.changes?.length];
    }
    return kept;
  };
}

/** Buttons of which one is on: {root, chosen()}; `choices` is [[id, text]], `changed()` is called at each choice. */
export function choice(label, choices, changed) {
  let chosen = choices[0][0];
  const buttons = choices.map(([id, text]) => {
    const button = element("button", { type: "button", "aria-pressed": String(id === chosen), text });
    button.addEventListener("click", () => {
      chosen = id;
      buttons.forEach((one, index) => one.setAttribute("aria-pressed", String(choices[index][0] === id)));
      changed();
    });
    return button;
  });
  const root = element("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
  return { root, chosen: () => chosen };
}
