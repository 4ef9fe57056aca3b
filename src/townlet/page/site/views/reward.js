// The reward by term: what this step paid, and what the life has been paid so far.

import { element } from "townlet/drawing.js";
import { paidAt } from "townlet/explain/paying.js";
import { signed } from "townlet/explain/words.js";
import { madeOnce } from "townlet/views/made.js";

export const reward = {
  id: "reward",
  title: "Reward",
  hint: "What it was paid: all that it learns from. It tries to make the sum of what is still to come large.",
  make(root) {
    const body = element("tbody"), total = makeRow("total");
    const heads = ["Term", "This step", "So far"].map((text) => element("th", { scope: "col", text }));
    root.append(element("table", { class: "reward" },
      element("thead", {}, element("tr", {}, ...heads)), body, element("tfoot", {}, total.root)));
    const rowsOf = madeOnce((header) => {
      const rows = header.world.terms.map(makeRow);
      body.replaceChildren(...rows.map((row) => row.root));
      return rows;
    });
    return {
      draw({ track, frame }) {
        const { now, sum } = paidAt(track, frame), most = Math.max(...sum.map(Math.abs), 1e-9);
        rowsOf(track.header).forEach((row, term) => drawRow(row, now?.[term] ?? null, sum[term], most));
        const added = (all) => all.reduce((a, b) => a + b, 0);
        drawRow(total, now === null ? null : added(now), added(sum), null);
      },
    };
  },
};

function makeRow(name) {
  const row = { now: element("td"), sum: element("span"), bar: element("i") };
  const head = element("th", { scope: "row", text: name });
  row.root = element("tr", {}, head, row.now, element("td", {}, row.bar, row.sum));
  return row;
}

function drawRow(row, now, sum, most) {
  row.now.textContent = now === null ? "–" : signed(now);
  row.now.className = now !== null && Number(signed(now)) < 0 ? "loss" : "";
  row.sum.textContent = signed(sum);
  row.bar.className = sum < 0 ? "loss" : "gain";
  row.bar.style.width = most === null ? "0" : `${(40 * Math.abs(sum)) / most}%`;
}
