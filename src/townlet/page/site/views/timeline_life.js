// A life as a picture: one strip a meter, marks for events, and a line where the page is.

import { colour, fitCanvas, meterColour } from "townlet/drawing.js";

const MARKS = 16, EDGE = 8, NEAR = 6; // pixels: height of the marks, margin at both ends, how near a mark is meant
const MARKED = new Set(["end", "memory", "surprise"]); // kinds of events with a colour of their own
const pictures = new WeakMap(); // by canvas: the strips, which only change with the life, the size and the theme

/** Paint the life of a moment: returns {last, width}, by which `frameAt` knows where it is. */
export function paintLife(canvas, { track, frame }, events) {
  const { ctx, width, height } = fitCanvas(canvas), drawn = { last: track.frames - 1, width };
  ctx.drawImage(strips(canvas, track, events, width, height), 0, 0, width, height);
  const x = Math.round(placeOf(frame, drawn)) + 0.5;
  ctx.fillStyle = ctx.strokeStyle = colour("accent");
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.moveTo(x, MARKS - 4);
  ctx.lineTo(x, height);
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x, MARKS - 6, 5, 0, 2 * Math.PI);
  ctx.fill();
  return drawn;
}

/** The frame at `x` pixels from the left. */
export function frameAt(x, { last, width }) {
  return Math.max(0, Math.min(last, Math.round(((x - EDGE) / (width - 2 * EDGE)) * last)));
}

/** The event whose mark lies at `x` pixels from the left; null for none. */
export function eventAt(x, drawn, events) {
  let found = null, least = NEAR;
  for (const event of events) {
    const far = Math.abs(placeOf(event.frame, drawn) - x);
    if (far < least) [found, least] = [event, far];
  }
  return found;
}

function placeOf(frame, { last, width }) {
  return EDGE + (last === 0 ? 0 : frame / last) * (width - 2 * EDGE);
}

/** Everything but the line, painted once. */
function strips(canvas, track, events, width, height) {
  const key = [width, height, canvas.width, colour("card"), events.length].join();
  const kept = pictures.get(canvas);
  if (kept?.key === key && kept.track === track && kept.frames === track.frames) return kept.picture;
  const picture = new OffscreenCanvas(canvas.width || 1, canvas.height || 1), ctx = picture.getContext("2d");
  ctx.scale(canvas.width / width, canvas.height / height);
  const drawn = { last: track.frames - 1, width }, count = track.header.world.meters.length;
  const tall = (height - MARKS) / count;
  for (let meter = 0; meter < count; meter++) strip(ctx, track, meter, drawn, MARKS + meter * tall, tall - 1);
  for (const event of events) mark(ctx, placeOf(event.frame, drawn), colour(MARKED.has(event.kind) ? `mark-${event.kind}` : "mark"));
  pictures.set(canvas, { key, track, frames: track.frames, picture });
  return picture;
}

/** One meter over the life: the area under it. */
function strip(ctx, track, meter, drawn, top, tall) {
  ctx.fillStyle = colour("trough");
  ctx.fillRect(EDGE, top, drawn.width - 2 * EDGE, tall);
  ctx.beginPath();
  ctx.moveTo(EDGE, top + tall);
  const each = Math.max(1, Math.floor(drawn.last / (2 * drawn.width)));
  for (let frame = 0; frame <= drawn.last; frame += each) {
    ctx.lineTo(placeOf(frame, drawn), top + tall * (1 - track.value("meters", frame, meter)));
  }
  ctx.lineTo(placeOf(drawn.last, drawn), top + tall);
  ctx.fillStyle = meterColour(meter);
  ctx.fill();
}

function mark(ctx, x, ink) {
  ctx.fillStyle = ink;
  ctx.beginPath();
  ctx.moveTo(x, MARKS - 2);
  ctx.lineTo(x - 4, 3);
  ctx.lineTo(x + 4, 3);
  ctx.closePath();
  ctx.fill();
}
