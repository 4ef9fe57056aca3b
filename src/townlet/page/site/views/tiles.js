// Lives from the same start, side by side: each in a town of its own, at the same step.

import { companyOf } from "townlet/alive/company.js";
import { told } from "townlet/bar.js";
import { element } from "townlet/drawing.js";
import { tellStep } from "townlet/explain/places.js";
import { learned } from "townlet/explain/words.js";

/** Tiles around the town's own figure: {draw(moment)}; `paint(canvas, moment)` paints a town. */
export function makeTiles(frame, own, app, paint) {
  const caption = makeCaption(), absent = element("p", { class: "absent" });
  caption.root.append(absent);
  own.append(caption.root);
  let root = null, beside = null, tiles = [];
  const make = (track) => {
    tiles.forEach(({ figure }) => figure.remove());
    const { lives, missing } = track === null ? { lives: [], missing: "" } : companyOf(app, track);
    tiles = lives.map((one) => makeTile(frame, one));
    absent.textContent = missing;
    app.setCompany(tiles.map((tile) => tile.track));
  };
  return {
    draw(moment) {
      const shown = app.layers.tiles && app.game === null, wanted = shown ? rootOf(moment.track) : null;
      frame.classList.toggle("tiled", shown);
      caption.root.hidden = !shown;
      if (wanted !== root || (shown && beside !== app.beside)) make(wanted);
      [root, beside] = [wanted, app.beside];
      if (!shown) return;
      frame.style.setProperty("--across", Math.ceil(Math.sqrt(tiles.length + 1)));
      const { track } = moment;
      caption.tell(track.kind === "lived" ? track.label : learned(track.header), told(track));
      tiles.forEach((tile) => drawTile(tile, moment, paint));
    },
  };
}

/** The recorded life that a life comes from. */
function rootOf(track) {
  return track.kind === "lived" ? rootOf(track.parent) : track;
}

/** What stands below a town: {root, tell(who, how)}. */
function makeCaption() {
  const who = element("strong"), how = element("span");
  const root = element("figcaption", { class: "hint" }, who, how);
  return { root, tell: (...said) => [who, how].forEach((part, index) => { part.textContent = said[index]; }) };
}

function makeTile(frame, { label, track }) {
  const canvas = element("canvas", { class: "map", role: "img" }), caption = makeCaption();
  const figure = element("figure", {}, canvas, caption.root);
  frame.append(figure);
  return { label, track, canvas, caption, figure };
}

function drawTile({ label, track, canvas, caption }, { frame, app }, paint) {
  const over = frame >= track.frames - 1, went = track.growing ? "it is being lived …" : told(track);
  const how = over ? went : `${went}. ${tellStep(track, frame)}`;
  paint(canvas, { track, frame: Math.min(frame, track.frames - 1), app: over ? still(app) : app, alone: true });
  caption.tell(label, how);
  canvas.setAttribute("aria-label", `${label}: ${how}`);
}

/** What a town is painted by that stands still. */
function still({ layers, game, speed }) {
  return { layers, game, speed, playing: false, fraction: 0 };
}
