// Where agents have been, as a map: how often, how new it still is, or when first.

import { colour, element, fitCanvas } from "townlet/drawing.js";
import { firstVisits, noveltyOf, visitsOf } from "townlet/explain/visiting.js";
import { choice } from "townlet/views/made.js";

const GAP = 1; // pixels between cells
const FAINTEST = 0.12; // of what is not nothing

export const visits = {
  id: "visits",
  title: "Where it has been",
  hint: "Up to this step. The stronger the colour, the more; blank cells it has never been in.",
  make(root, app) {
    let latest = null;
    const again = () => { if (latest !== null) draw(latest); };
    const kinds = [["visits", "Visits"], ["novelty", "Novelty"], ["first", "First visit"]];
    const what = choice("What is shown", kinds, again);
    const whose = choice("Whose lives", [["one", "This life"], ["all", "All lives"]], again);
    const canvas = element("canvas", { class: "visits", role: "img" }), legend = element("p", { class: "legend" });
    root.append(element("div", { class: "beside-map" },
      element("div", { class: "choices" }, what.root, whose.root, legend), canvas));
    function draw(moment) {
      latest = moment;
      const all = whose.chosen() === "all" && what.chosen() !== "first";
      const tracks = all ? app.tracks.filter(({ header }) => header === moment.track.header) : [moment.track];
      const shown = MAPS[what.chosen()](tracks, moment.frame);
      drawMap(canvas, moment, shown.shares, all);
      whose.root.hidden = what.chosen() === "first";
      legend.textContent = shown.legend + (all ? ` Of ${tracks.length} lives, whose places lie elsewhere.` : "");
      canvas.setAttribute("aria-label", legend.textContent);
    }
    return { draw };
  },
};

/** What can be shown: {shares [cells] from 0 to 1, null for nothing; legend}. */
const MAPS = {
  visits(tracks, frame) {
    const counts = visitsOf(tracks, frame), most = counts.reduce((a, b) => Math.max(a, b), 1);
    const been = counts.filter((count) => count > 0).length;
    const shares = Array.from(counts, (count) => count === 0 ? null : Math.sqrt(count / most));
    return { shares, legend: `${been} of ${counts.length} cells, the strongest ${most} times.` };
  },
  novelty(tracks, frame) {
    const shares = Array.from(visitsOf(tracks, frame), noveltyOf), least = Math.min(...shares);
    const most = Math.max(...shares);
    return { shares, legend: `1 / √visits: strong is new. From ${least.toFixed(2)} to ${most.toFixed(2)}.` };
  },
  first([track], frame) {
    const first = firstVisits(track, frame);
    const shares = Array.from(first, (at) => at < 0 ? null : 1 - at / Math.max(1, frame));
    return { shares, legend: `Strong cells it came to early, faint ones lately, up to step ${frame}.` };
  },
};

function drawMap(canvas, { track, frame }, shares, all) {
  const { width: across, height: down } = track.header.world;
  canvas.style.aspectRatio = `${across} / ${down}`;
  const { ctx, width, height } = fitCanvas(canvas), cell = Math.min(width / across, height / down);
  const [left, top] = [(width - cell * across) / 2, (height - cell * down) / 2];
  const fill = (x, y, alpha, name) => {
    ctx.globalAlpha = alpha;
    ctx.fillStyle = colour(name);
    ctx.fillRect(left + x * cell + GAP / 2, top + y * cell + GAP / 2, cell - GAP, cell - GAP);
  };
  shares.forEach((share, index) => {
    const [x, y] = [index % across, Math.floor(index / across)];
    fill(x, y, 1, "trough");
    if (share !== null) fill(x, y, FAINTEST + (1 - FAINTEST) * share, "accent");
  });
  ctx.globalAlpha = 1;
  ctx.strokeStyle = colour("ink");
  if (!all) (track.places?.(frame) ?? track.life.places).forEach((at) => {
    if (at !== null) ctx.strokeRect(left + at[0] * cell + 3, top + at[1] * cell + 3, cell - 6, cell - 6);
  });
  const [x, y] = track.at("position", frame);
  ctx.fillStyle = colour("ink");
  ctx.beginPath();
  ctx.arc(left + (x + 0.5) * cell, top + (y + 0.5) * cell, cell / 6, 0, 2 * Math.PI);
  ctx.fill();
}
