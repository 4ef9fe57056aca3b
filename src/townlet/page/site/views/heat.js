// The memory of a whole life as a picture, a pixel a number: it is made once, and shown in part.

import { colour } from "townlet/drawing.js";

const LEAST = 1e-9; // so that a number that is always zero has a largest one, too

/**
 * The picture of a life's memory: {every (frames a pixel), units, pixels() -> canvas [units high]}. Each row goes by
 * its own largest number, so that one that moves little is seen to move.
 */
export function heat(track) {
  const units = track.header.memory.reduce((sum, part) => sum + part.units, 0);
  const every = track.replay?.columns.get("memory")?.every ?? 1;
  const times = Math.floor((track.frames - 1) / every) + 1;
  const rows = Array.from({ length: times }, (_, time) => track.at("memory", time * every));
  const most = Array.from({ length: units }, (_, unit) =>
    rows.reduce((largest, row) => Math.max(largest, Math.abs(row[unit])), LEAST));
  let canvas = null, theme = null;
  const pixels = () => {
    const now = colour("accent") + colour("poor") + colour("trough");
    if (now !== theme) [canvas, theme] = [paint(rows, most), now];
    return canvas;
  };
  return { every, units, pixels };
}

function paint(rows, most) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [rows.length, most.length];
  const ctx = canvas.getContext("2d", { willReadFrequently: true });
  const image = ctx.createImageData(rows.length, most.length);
  const [above, below, zero] = ["accent", "poor", "trough"].map((name) => numbersOf(ctx, colour(name)));
  rows.forEach((row, time) => row.forEach((value, unit) => {
    const share = Math.abs(value) / most[unit], towards = value > 0 ? above : below;
    const at = 4 * (unit * rows.length + time);
    for (let part = 0; part < 3; part++) image.data[at + part] = zero[part] + share * (towards[part] - zero[part]);
    image.data[at + 3] = 255;
  }));
  ctx.putImageData(image, 0, 0);
  return canvas;
}

/** A colour of the theme as red, green and blue. */
function numbersOf(ctx, css) {
  ctx.fillStyle = css;
  ctx.fillRect(0, 0, 1, 1);
  return ctx.getImageData(0, 0, 1, 1).data;
}
