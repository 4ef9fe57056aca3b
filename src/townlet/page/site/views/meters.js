// The meters: how full each is, where it goes, and what takes from it, in words.

import { element, meterProperty } from "townlet/drawing.js";
import {
  consequenceInWords, emptyInWords, mostUrgent, pressureInWords, pressures,
} from "townlet/explain/cascades.js";
import { full, words } from "townlet/explain/words.js";
import { madeOnce } from "townlet/views/made.js";

const TREND = 5; // ticks back that an arrow tells of
const STEADY = 0.005; // less than this is no change

const TRENDS = [["", "steady"], ["▲", "rising"], ["▼", "falling"]];

export const meters = {
  id: "meters",
  title: "How it is",
  hint: "What it lives on. Under the mark a meter pulls others down; a vital one that is empty is death.",
  make(root, app) {
    const list = element("div", { class: "meters" }), told = element("p", { class: "says", "aria-live": "off" });
    root.append(list, told);
    let selected = null, latest = null;
    const select = (meter) => {
      selected = selected === meter ? null : meter;
      if (latest !== null) draw(latest);
    };
    const rowsOf = madeOnce((header) => { selected = null; return makeRows(list, header, select); });
    function draw(moment) {
      latest = moment;
      const { track, frame } = moment, { world } = track.header, rows = rowsOf(track.header);
      const values = track.at("meters", frame), pressed = pressures(track, frame);
      const urgent = mostUrgent(world, values).meter, shown = selected ?? urgent;
      rows.forEach((row, meter) => drawRow(row, track, frame, meter, { urgent, shown }));
      told.textContent = inWords(world, values, shown, pressed[shown]);
    }
    return { draw };
  },
};

function inWords(world, values, meter, pressure) {
  const losses = pressure.empty === 0 ? "" : pressureInWords(world, values, meter, pressure);
  return [losses, emptyInWords(world, meter, pressure.empty), consequenceInWords(world, meter)].filter(Boolean).join(" ");
}

function makeRows(list, header, select) {
  const { world } = header, pulls = new Set(world.cascades.flatMap((group) => group.pulls.map(({ source }) => source)));
  list.replaceChildren();
  return world.meters.map(({ name, lethal }, meter) => {
    const row = { fill: element("i", { class: "fill" }), value: element("b") };
    row.trend = element("span", { class: "trend", role: "img" });
    row.fill.style.background = `var(--${meterProperty(meter)})`;
    const mark = element("i", { class: "threshold", hidden: !pulls.has(meter) });
    mark.style.left = `${100 * world.threshold}%`;
    row.root = element("button", { type: "button", class: "meter", title: `What takes from ${name}` },
      element("span", { class: "name", text: words(name) }, ...(lethal ? [element("small", { text: " vital" })] : [])),
      element("span", { class: "track" }, row.fill, mark), row.value, row.trend);
    row.pulls = pulls.has(meter) || lethal;
    row.root.addEventListener("click", () => select(meter));
    list.append(row.root);
    return row;
  });
}

function drawRow(row, track, frame, meter, { urgent, shown }) {
  const value = track.value("meters", frame, meter), before = track.value("meters", Math.max(0, frame - TREND), meter);
  row.fill.style.width = `${100 * value}%`;
  row.value.textContent = full(value);
  const [arrow, word] = TRENDS[Math.abs(value - before) < STEADY ? 0 : value > before ? 1 : 2];
  row.trend.textContent = arrow;
  row.trend.setAttribute("aria-label", word);
  row.root.classList.toggle("low", row.pulls && value < track.header.world.threshold);
  row.root.classList.toggle("urgent", meter === urgent);
  row.root.setAttribute("aria-pressed", String(meter === shown));
}
