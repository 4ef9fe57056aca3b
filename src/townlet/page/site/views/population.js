// All lives of the replay, one strip each: how long it was, how it went, how it ended. A click follows one.

import { told } from "townlet/bar.js";
import { colour, element, fitCanvas } from "townlet/drawing.js";

const MOST = 200; // rows; of more lives the arrows in the bar tell

/** The view of all lives. */
export const population = {
  id: "population",
  title: "All lives",
  hint: "One row a life, longest first: green where every meter is well, red where one is nearly empty. Choose one to follow it.",
  make(root, app) {
    const list = element("div", { class: "population" });
    root.append(list);
    let rows = [], shown = null;
    return {
      draw({ frame }) {
        if (shown?.tracks !== app.tracks || shown.count !== app.tracks.length) {
          rows = sorted(app.tracks).slice(0, MOST).map((index) => makeRow(app, index));
          list.replaceChildren(...rows.map((row) => row.root));
          shown = { tracks: app.tracks, count: app.tracks.length };
        }
        const longest = Math.max(...app.tracks.map((track) => track.frames - 1));
        rows.forEach((row) => row.draw(longest, frame));
      },
    };
  },
};

/** Indices of lives, longest first; one that left another follows that one. */
export function sorted(tracks) {
  const under = (parent) => tracks.flatMap((track, index) => (track.parent === parent ? [index, ...under(track)] : []));
  const roots = tracks.flatMap((track, index) => (tracks.includes(track.parent) ? [] : [index]));
  roots.sort((a, b) => tracks[b].frames - tracks[a].frames || a - b);
  return roots.flatMap((root) => [root, ...under(tracks[root])]);
}

function makeRow(app, index) {
  const track = app.tracks[index], canvas = element("canvas"), end = element("span", { class: "end" });
  const name = element("span", { class: "name", text: track.short ?? track.label, title: track.label });
  const root = element("button", { type: "button", class: "row" }, name, canvas, end);
  if (track.parent) root.classList.add("branch");
  root.addEventListener("click", () => app.follow(index));
  let drawn = null;
  return {
    root,
    draw(longest, frame) {
      const followed = app.index === index, key = [canvas.clientWidth, colour("card"), followed, followed && frame, track.frames].join();
      if (key === drawn) return;
      drawn = key;
      end.textContent = told(track);
      root.setAttribute("aria-current", followed);
      paint(canvas, track, longest, followed ? frame : null);
    },
  };
}

/** The worst meter that can kill at a frame, or of all where none can, 0 to 1. */
export function worst(track, frame) {
  const { meters } = track.header.world, lethal = meters.some((meter) => meter.lethal);
  return Math.min(...meters.map((meter, index) => (lethal && !meter.lethal ? 1 : track.value("meters", frame, index))));
}

function paint(canvas, track, longest, frame) {
  const { ctx, width, height } = fitCanvas(canvas), last = track.frames - 1, long = (width * last) / longest;
  const shades = ["bad", "poor", "fair", "well"].map(colour);
  for (let x = 0; x < long; x++) {
    const share = worst(track, Math.min(last, Math.floor((x / long) * (last + 1))));
    ctx.fillStyle = shades[Math.min(3, Math.floor(share * 4))];
    ctx.fillRect(x, 2, 1, height - 4);
  }
  if (track.life.ended === "death") {
    ctx.fillStyle = colour("ink");
    ctx.fillRect(Math.max(0, long - 3), 0, 3, height);
  }
  if (frame === null) return;
  ctx.fillStyle = colour("accent");
  ctx.fillRect((long * frame) / Math.max(1, last) - 1, 0, 2, height);
}
