// The memory itself: what each number of it is over time, how large it is, and how much it moves the values of actions.

import { colour, element, fitCanvas } from "townlet/drawing.js";
import { holdingInWords, normAt, partsOf } from "townlet/explain/holding.js";
import { lensAt } from "townlet/explain/lens.js";
import { figure } from "townlet/explain/words.js";
import { heat } from "townlet/views/heat.js";
import { madeOfLife } from "townlet/views/made.js";

const AROUND = 120; // frames that the heat map shows
const LINES = 30; // pixels of height of a line's chart
const LABELS = 78; // pixels of width of the names of parts

export const memory = {
  id: "memory",
  title: "What it remembers",
  hint: "Each row is a number that it carries along: one colour above zero, the other below. Click to go to a step.",
  make(root, app) {
    const says = element("p", { class: "says" });
    const map = element("canvas", { class: "heat", role: "img" });
    const lines = element("canvas", { class: "lines", role: "img" });
    const legend = element("p", { class: "legend" });
    root.append(element("div", { class: "beside-map remembers" }, map, element("div", {}, lines, legend), says));
    let span = { from: 0, to: AROUND }, latest = null;
    const pictureOf = madeOfLife(heat), curvesOf = madeOfLife(curves);
    seekBy(map, app, (share) => span.from + share * (span.to - span.from));
    seekBy(lines, app, (share) => share * (latest.track.frames - 1));
    return {
      draw(moment) {
        latest = moment;
        const { track, frame } = moment;
        says.textContent = holdingInWords(track, frame);
        map.hidden = lines.hidden = legend.hidden = !track.has("memory");
        if (map.hidden) return;
        span = spanAround(track, frame);
        drawHeat(map, moment, span, pictureOf(track));
        drawLines(lines, moment, curvesOf(track));
        legend.textContent = inNumbers(track, frame);
        map.setAttribute("aria-label", `Memory from step ${span.from} to ${span.to}`);
        lines.setAttribute("aria-label", legend.textContent);
      },
    };
  },
};

function inNumbers(track, frame) {
  const norm = normAt(track, frame), lens = lensAt(track, frame);
  const size = norm === null ? "not recorded at this step" : figure(norm);
  const gap = lens === null ? "nothing" : `${figure(lens.gap)} on average`;
  return `Size of the memory: ${size}. It moves the values of actions by ${gap}.`;
}

/** A click at a share of a canvas' width right of the names goes to a frame. */
function seekBy(canvas, app, frameOf) {
  canvas.addEventListener("pointerdown", (event) => {
    const wide = canvas.clientWidth - LABELS;
    app.seek(Math.round(frameOf(Math.max(0, Math.min(1, (event.offsetX - LABELS) / wide)))));
  });
}

/** The frames that are shown around now: half of them before it, as far as the life goes. */
function spanAround(track, frame) {
  const wide = Math.min(AROUND, Math.max(1, track.frames - 1));
  const from = Math.max(0, Math.min(frame - Math.floor(wide / 2), track.frames - 1 - wide));
  return { from, to: from + wide };
}

function drawHeat(canvas, { track, frame }, { from, to }, picture) {
  const { ctx, width, height } = fitCanvas(canvas), wide = width - LABELS, { every, pixels, units } = picture;
  const step = wide / (to - from + 1);
  ctx.imageSmoothingEnabled = false;
  const source = from / every, count = (to - from + 1) / every;
  ctx.drawImage(pixels(), source, 0, count, units, LABELS, 0, wide, height);
  ctx.strokeStyle = colour("ink");
  ctx.strokeRect(LABELS + (frame - from) * step, 0.5, Math.max(2, step), height - 1);
  ctx.fillStyle = colour("ink");
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  for (const part of partsOf(track.header)) {
    const top = (part.from / units) * height, tall = (part.units / units) * height;
    ctx.fillText(part.name, 0, top + tall / 2, LABELS - 6);
    if (part.from > 0) ctx.fillRect(0, top, width, 1);
  }
}

/** The two lines of a whole life, by frame; null where there is nothing recorded. */
function curves(track) {
  const frames = Array.from({ length: track.frames }, (_, frame) => frame);
  return [
    { name: "size", values: frames.map((frame) => normAt(track, frame)), decided: [] },
    {
      name: "moves values",
      values: frames.map((frame) => lensAt(track, frame)?.gap ?? null),
      decided: frames.filter((frame) => lensAt(track, frame)?.decided),
    },
  ];
}

function drawLines(canvas, { track, frame }, lines) {
  canvas.style.height = `${lines.length * LINES}px`;
  const { ctx, width } = fitCanvas(canvas), wide = width - LABELS, last = Math.max(1, track.frames - 1);
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  lines.forEach(({ name, values, decided }, index) => {
    const bottom = (index + 1) * LINES - 4, most = values.reduce((a, b) => Math.max(a, b ?? 0), 1e-9);
    const xOf = (at) => LABELS + (wide * at) / last, yOf = (value) => bottom - ((LINES - 10) * value) / most;
    ctx.fillStyle = colour("ink");
    ctx.fillText(name, 0, bottom - LINES / 2 + 4, LABELS - 6);
    ctx.fillStyle = colour("accent");
    for (const at of decided) ctx.fillRect(xOf(at), bottom, 1.5, 3);
    ctx.strokeStyle = colour("accent");
    ctx.beginPath();
    values.forEach((value, at) => { if (value !== null) ctx.lineTo(xOf(at), yOf(value)); });
    ctx.stroke();
    ctx.fillStyle = colour("ink");
    ctx.fillRect(xOf(frame) - 0.5, bottom - LINES + 6, 1, LINES - 6);
  });
}
