// The story in words: what the agent wants now, and at its end, told backwards, what led to it.

import { element } from "townlet/drawing.js";
import { howItEnded } from "townlet/explain/death.js";
import { wantsInWords } from "townlet/explain/wants.js";
import { madeOfLife } from "townlet/views/made.js";

export const story = {
  id: "story",
  title: "What it wants",
  hint: "What it needs most, what could help, what it does about it; at the end, how that came.",
  make(root, app) {
    const list = element("ul", { class: "wants" }), lines = [], endOf = madeOfLife(howItEnded);
    root.append(list);
    return {
      draw({ track, frame }) {
        tell(list, lines, frame < track.frames - 1 ? wantsInWords(track, frame) : endOf(track), app);
      },
    };
  },
};

/** Write sentences into lines that stay: with a button where there is a frame to jump to. */
function tell(list, lines, told, app) {
  while (lines.length < told.length) lines.push(makeLine(list, app));
  lines.forEach((line, index) => {
    const one = told[index], leads = typeof one?.frame === "number" && one.frame !== app.frame;
    line.root.hidden = one === undefined;
    if (one === undefined) return;
    line.frame = one.frame;
    line.text.textContent = one.text;
    line.button.hidden = !leads;
    line.button.textContent = leads ? `Go to step ${one.frame}` : "";
  });
}

function makeLine(list, app) {
  const line = { frame: null, text: element("span"), button: element("button", { type: "button", class: "jump" }) };
  line.button.addEventListener("click", () => { app.pause(); app.seek(line.frame); });
  line.root = element("li", {}, line.text, line.button);
  list.append(line.root);
  return line;
}
