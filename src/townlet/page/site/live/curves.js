// Curves that grow: where their points lie in a picture, and drawing them with the lines that they are compared with.

import { colour, fitCanvas } from "townlet/drawing.js";

const MARGIN = 4, WORDS = 64; // CSS pixels around a picture, and of it to the right for the names of lines
const MOST_POINTS = 2_000; // of a curve that are drawn: more of them lie in the same pixels

/** The values that a picture spans, [low, high]: all of its curves and lines, from 0 where none is below. */
export function span(picture, points) {
  const values = [...Object.values(picture.lines), picture.most ?? 0];
  for (const { metric } of picture.series) {
    for (const [, value] of points.get(metric) ?? []) if (value !== null) values.push(value);
  }
  const low = values.reduce((a, b) => Math.min(a, b), 0), high = values.reduce((a, b) => Math.max(a, b), 0);
  return high > low ? [low, high] : [low, low + 1];
}

/** The last step of all curves of a picture; 0 where there is none. */
export function lastStep(picture, points) {
  return picture.series.reduce((last, { metric }) => Math.max(last, points.get(metric)?.at(-1)?.[0] ?? 0), 0);
}

/** Pieces of a curve, [[x, y], …] each, within a box {left, top, width, height}; it is broken where a value is missing. */
export function trace(curve, last, [low, high], box) {
  const every = Math.ceil(curve.length / MOST_POINTS), pieces = [[]];
  curve.forEach(([step, value], index) => {
    if (value === null) pieces.push([]);
    else if (index % every === 0 || index === curve.length - 1) pieces.at(-1).push(place(step, value, last, low, high, box));
  });
  return pieces.filter((piece) => piece.length > 0);
}

function place(step, value, last, low, high, { left, top, width, height }) {
  return [left + (width * step) / Math.max(last, 1), top + height * (1 - (value - low) / (high - low))];
}

/** Draw a picture of the run into a canvas. */
export function drawCurves(canvas, picture, points) {
  const { ctx, width, height } = fitCanvas(canvas);
  const named = Object.keys(picture.lines).length > 0 ? WORDS : 0;
  const box = { left: MARGIN, top: MARGIN, width: width - 2 * MARGIN - named, height: height - 2 * MARGIN };
  const range = span(picture, points), last = lastStep(picture, points);
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  for (const [name, value] of Object.entries(picture.lines)) drawLine(ctx, name, value, range, box);
  picture.series.forEach(({ metric }, index) => {
    ctx.strokeStyle = ctx.fillStyle = colour(seriesProperty(index));
    ctx.lineWidth = 1.75;
    for (const piece of trace(points.get(metric) ?? [], last, range, box)) drawPiece(ctx, piece);
  });
}

/** The custom property of the colour of a picture's curve, by its index. */
export function seriesProperty(index) {
  return ["meter-1", "meter-2", "meter-3"][index % 3];
}

function drawLine(ctx, name, value, range, box) {
  const [, y] = place(0, value, 1, ...range, box);
  ctx.strokeStyle = ctx.fillStyle = colour("quiet");
  ctx.lineWidth = 1;
  ctx.setLineDash([3, 3]);
  ctx.beginPath();
  ctx.moveTo(box.left, y);
  ctx.lineTo(box.left + box.width, y);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.fillText(name, box.left + box.width + 5, Math.max(box.top + 5, Math.min(box.top + box.height - 5, y)), WORDS - 5);
}

function drawPiece(ctx, piece) {
  ctx.beginPath();
  piece.forEach(([x, y], index) => (index === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
  ctx.stroke();
  const [x, y] = piece.at(-1);
  ctx.beginPath();
  ctx.arc(x, y, 2.5, 0, 2 * Math.PI);
  ctx.fill();
}
