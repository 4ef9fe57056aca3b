// The story in words: what the agent wants now, and how its life ends, told backwards.

import { element } from "townlet/drawing.js";
import { howItEnded } from "townlet/explain/death.js";
import { holdingInWords } from "townlet/explain/holding.js";
import { wantsInWords } from "townlet/explain/wants.js";
import { madeOnce } from "townlet/views/made.js";

export const story = {
  id: "story",
  title: "What it wants",
  hint: "In words: what it needs most, what could help, what it does about it, and how its life ends.",
  make(root, app) {
    const now = element("ul", { class: "wants" }), memory = element("p", { class: "holding" });
    const ending = element("ol", { class: "ending" }), summary = element("summary");
    const details = element("details", {}, summary, ending);
    root.append(now, memory, details);
    const lines = [];
    let last = null;
    const endOf = madeOnce((track) => {
      summary.textContent = track.life.ended === "death" ? "How it dies, told backwards" : "How its life ends";
      ending.replaceChildren(...howItEnded(track).map((line) => element("li", {}, jump(app, line))));
    });
    return {
      draw({ track, frame }) {
        endOf(track);
        tell(now, lines, wantsInWords(track, frame), app);
        memory.textContent = holdingInWords(track, frame);
        const over = frame === track.frames - 1;
        if (over !== last && over) details.open = true; // shut or left open by who reads, but shown when it comes
        last = over;
      },
    };
  },
};

/** Write sentences into lines that stay: a button where there is a frame to jump to. */
function tell(list, lines, told, app) {
  while (lines.length < told.length) {
    const line = { frame: null, text: element("span"), button: element("button", { type: "button", class: "jump" }) };
    line.button.addEventListener("click", () => app.seek(line.frame));
    line.root = element("li", {}, line.text, line.button);
    list.append(line.root);
    lines.push(line);
  }
  lines.forEach((line, index) => {
    const one = told[index];
    line.root.hidden = one === undefined;
    if (one === undefined) return;
    line.frame = one.frame;
    line.text.textContent = one.text;
    line.button.hidden = one.frame === null;
    line.button.textContent = one.frame === null ? "" : `Go to step ${one.frame}`;
  });
}

function jump(app, { text, frame }) {
  const button = element("button", { type: "button", class: "jump", text, title: `Go to step ${frame}` });
  button.addEventListener("click", () => { app.pause(); app.seek(frame); });
  return button;
}
