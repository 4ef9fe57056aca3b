// Lives from the same start, side by side: each in a town of its own, at the same step.

import { companyOf } from "townlet/alive/company.js";
import { told } from "townlet/bar.js";
import { element } from "townlet/drawing.js";
import { learned } from "townlet/explain/words.js";

/** Tiles around the town's own figure: {draw(moment)}; `paint(canvas, moment)` paints a town. */
export function makeTiles(frame, own, app, paint) {
  const caption = element("figcaption", { class: "hint", hidden: true });
  own.append(caption);
  let root = null, beside = null, tiles = [];
  const make = (track) => {
    tiles.forEach(({ figure }) => figure.remove());
    tiles = track === null ? [] : companyOf(app, track).map((one) => makeTile(frame, one));
    app.setCompany(tiles.map((tile) => tile.track));
  };
  return {
    draw(moment) {
      const shown = app.layers.tiles && app.game === null, wanted = shown ? rootOf(moment.track) : null;
      frame.classList.toggle("tiled", shown);
      caption.hidden = !shown;
      if (wanted !== root || (shown && beside !== app.beside)) make(wanted);
      [root, beside] = [wanted, app.beside];
      if (!shown) return;
      frame.style.setProperty("--across", Math.ceil(Math.sqrt(tiles.length + 1)));
      const { track } = moment, who = track.kind === "lived" ? track.label : `${track.label}, ${learned(track.header)}`;
      caption.textContent = `${who}: ${told(track)}`;
      tiles.forEach((tile) => drawTile(tile, moment, paint));
    },
  };
}

/** The recorded life that a life comes from. */
function rootOf(track) {
  return track.kind === "lived" ? rootOf(track.parent) : track;
}

function makeTile(frame, { label, track }) {
  const canvas = element("canvas", { class: "map", role: "img" }), caption = element("figcaption", { class: "hint" });
  const figure = element("figure", {}, canvas, caption);
  frame.append(figure);
  return { label, track, canvas, caption, figure };
}

function drawTile({ label, track, canvas, caption }, { frame, app }, paint) {
  const over = frame >= track.frames - 1, said = `${label}: ${track.growing ? "it is being lived …" : told(track)}`;
  paint(canvas, { track, frame: Math.min(frame, track.frames - 1), app: over ? still(app) : app, alone: true });
  caption.textContent = said;
  canvas.setAttribute("aria-label", said);
}

/** What a town is painted by that stands still. */
function still({ layers, game, speed }) {
  return { layers, game, speed, playing: false, fraction: 0 };
}
