// How the life ends: a death told backwards, each sentence a way to where it happened.

import { element } from "townlet/drawing.js";
import { howItEnded } from "townlet/explain/death.js";
import { madeOfLife } from "townlet/views/made.js";

export const ending = {
  id: "ending",
  title: "How it ends",
  hint: "Told backwards, from the end to what led to it. Each sentence is a way there.",
  make(root, app) {
    const list = element("ol", { class: "ending" });
    root.append(list);
    const endOf = madeOfLife((track) => list.replaceChildren(...howItEnded(track).map((line) => told(app, line))));
    return { draw: ({ track }) => endOf(track) };
  },
};

function told(app, { text, frame }) {
  const button = element("button", { type: "button", class: "jump", text, title: `Go to step ${frame}` });
  button.addEventListener("click", () => { app.pause(); app.seek(frame); });
  return element("li", {}, button);
}
