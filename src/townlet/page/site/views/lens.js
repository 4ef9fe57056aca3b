// The memory lens: each action's value twice, with the memory that the agent has and with none.

import { element } from "townlet/drawing.js";
import { allowedAt, lensAt, lensInWords } from "townlet/explain/lens.js";
import { figure } from "townlet/explain/words.js";
import { madeOfLife, madeOnce } from "townlet/views/made.js";

const SHORTEST = 2; // percent: a bar that can be seen
const USUAL = 0.9; // of steps have a spread of values that fits the bars

export const lens = {
  id: "lens",
  title: "What it thinks",
  hint: "How much each action is worth to it, with its memory and as if it had none. A full bar is the best choice.",
  make(root) {
    const says = element("p", { class: "says", "aria-live": "off" }), table = element("div", { class: "lens" });
    root.append(says, table);
    const rowsOf = madeOnce((header) => makeRows(table, header)), spreadOf = madeOfLife(spread);
    return {
      draw({ track, frame }) {
        const seen = lensAt(track, frame), rows = rowsOf(track.header);
        says.textContent = lensInWords(track.header.world, seen, track.life.ended === "cut");
        says.classList.toggle("decided", seen?.decided === true);
        table.classList.toggle("over", seen === null);
        const widest = Math.max(spreadOf(track), seen === null ? 0 : spreadAt(track, frame));
        rows.forEach((row, action) => drawRow(row, action, seen, widest));
      },
    };
  },
};

function makeRows(table, header) {
  const blank = header.memory.length > 0;
  table.replaceChildren(element("div", { class: "lens-head" },
    element("span", { class: "key" }, element("i", { class: "swatch real" }), blank ? "with memory" : "worth",
      ...(blank ? [element("i", { class: "swatch blank" }), "with none"] : [])),
    element("span", { class: "number", text: "value" })));
  return header.world.actions.map(({ name }) => {
    const row = {
      real: element("div", { class: "worth real" }), blank: element("div", { class: "worth blank" }),
      realNumber: element("span"), blankNumber: element("span"), mark: element("small"),
    };
    row.root = element("div", { class: "lens-row" },
      element("span", { class: "name", text: name }, row.mark),
      element("div", { class: "bars" }, row.real, ...(blank ? [row.blank] : [])),
      element("span", { class: "number" }, row.realNumber, ...(blank ? [row.blankNumber] : [])));
    table.append(row.root);
    return row;
  });
}

function drawRow(row, action, seen, widest) {
  const forbidden = seen !== null && !seen.allowed[action];
  row.root.classList.toggle("forbidden", forbidden);
  row.root.classList.toggle("chosen", seen?.chosen === action);
  row.mark.textContent = forbidden ? " not now" : seen?.chosen === action ? " does this" : "";
  drawBar(row.real, row.realNumber, seen?.q ?? null, seen?.best, action, forbidden, widest);
  drawBar(row.blank, row.blankNumber, seen?.blank ?? null, seen?.bestBlank, action, forbidden, widest);
}

/** A bar is full for the best by its own memory, and shorter by how much less an action is worth. */
function drawBar(bar, number, values, best, action, forbidden, widest) {
  const share = values === null ? 0 : forbidden ? 1 : 1 - (values[best] - values[action]) / widest;
  bar.style.width = `${Math.max(SHORTEST, 100 * share)}%`;
  bar.classList.toggle("best", values !== null && best === action);
  number.textContent = values === null || forbidden ? "–" : figure(values[action]);
  number.classList.toggle("best", values !== null && best === action);
}

/** How far the values of allowed actions lie apart in most steps of a life: so bars of one life can be compared. */
function spread(track) {
  const spreads = Array.from({ length: track.life.length }, (_, step) => spreadAt(track, step)).sort((a, b) => a - b);
  return spreads[Math.floor(USUAL * (spreads.length - 1))] || 1;
}

/** How far they lie apart in a step, by the memory by which they do so most. */
function spreadAt(track, step) {
  const allowed = allowedAt(track, step);
  return Math.max(...["q", "q_blank"].map((column) => {
    const values = track.at(column, step)?.filter((_, action) => allowed[action]) ?? [];
    return values.length === 0 ? 0 : Math.max(...values) - Math.min(...values);
  }));
}
