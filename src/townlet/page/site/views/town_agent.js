// The agent in the town, and where it came from.

import { colour } from "townlet/drawing.js";
import { placesAt } from "townlet/explain/sight.js";

const TRACE = 14; // steps back that are shown

/** The way of the last steps, fainter the longer ago. */
export function paintTrace(ctx, grid, track, frame) {
  ctx.save();
  ctx.lineCap = "round";
  for (const [ink, width, alpha] of [["agent-edge", 0.12, 0.35], ["agent", 0.06, 0.75]]) {
    ctx.strokeStyle = colour(ink);
    ctx.lineWidth = Math.max(2, grid.side * width);
    for (let back = Math.min(TRACE, frame); back > 0; back--) {
      ctx.globalAlpha = alpha * (1 - (back - 1) / TRACE);
      ctx.beginPath();
      ctx.moveTo(...centre(grid, track, frame - back));
      ctx.lineTo(...centre(grid, track, frame - back + 1));
      ctx.stroke();
    }
  }
  ctx.restore();
}

/** The agent at a frame, or on its way to the next by `fraction`; a ring tells how far an interaction is. */
export function paintAgent(ctx, grid, track, frame, fraction) {
  const next = Math.min(frame + 1, track.frames - 1), [here, there] = [centre(grid, track, frame), centre(grid, track, next)];
  const aside = placeUnder(track, frame) < 0 ? [0, 0] : [0.3 * grid.side, -0.2 * grid.side]; // a house stays readable
  const [x, y] = here.map((from, axis) => from + (there[axis] - from) * fraction + aside[axis] * (1 - fraction));
  const dead = frame === track.frames - 1 && track.life.ended === "death", size = grid.side * (aside[0] ? 0.19 : 0.25);
  ctx.save();
  ctx.shadowColor = "rgba(0, 0, 0, 0.35)";
  ctx.shadowBlur = size * 0.4;
  ctx.shadowOffsetY = size * 0.12;
  ctx.fillStyle = colour(dead ? "unknown" : "agent");
  ctx.beginPath();
  ctx.arc(x, y, size, 0, 2 * Math.PI);
  ctx.fill();
  ctx.shadowColor = "transparent";
  ctx.strokeStyle = colour("agent-edge");
  ctx.lineWidth = Math.max(1.5, size * 0.14);
  ctx.stroke();
  const action = track.header.world.actions[track.value("action", frame)];
  eyes(ctx, x, y, size, dead, action ?? { dx: 0, dy: 0 });
  ring(ctx, x, y, size * 1.3, progressOf(track, frame, fraction));
  ctx.restore();
}

/** Where another life of the same start was at a frame, pale; nothing where it had ended. */
export function paintOther(ctx, grid, track, frame) {
  if (frame >= track.frames) return;
  const [x, y] = centre(grid, track, frame), size = grid.side * 0.2;
  ctx.save();
  ctx.setLineDash([size * 0.4, size * 0.25]);
  ctx.lineWidth = Math.max(2, size * 0.22);
  ctx.strokeStyle = colour("agent");
  ctx.fillStyle = colour("agent-edge");
  ctx.beginPath();
  ctx.arc(x - size, y - size * 0.6, size * 0.8, 0, 2 * Math.PI); // aside, so that it is seen behind the agent
  ctx.globalAlpha = 0.85;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.stroke();
  ctx.restore();
}

function centre({ side, left, top }, track, frame) {
  const [x, y] = track.at("position", frame);
  return [left + (x + 0.5) * side, top + (y + 0.5) * side];
}

/** Eyes that look where it goes. */
function eyes(ctx, x, y, size, dead, { dx, dy }) {
  const [across, down] = [x + dx * size * 0.25, y + dy * size * 0.25 - size * 0.08];
  ctx.fillStyle = ctx.strokeStyle = colour("eyes");
  ctx.lineWidth = size * 0.13;
  for (const way of [-1, 1]) {
    const at = across + way * size * 0.34, half = size * 0.15;
    ctx.beginPath();
    if (dead) {
      ctx.moveTo(at - half, down - half);
      ctx.lineTo(at + half, down + half);
      ctx.moveTo(at + half, down - half);
      ctx.lineTo(at - half, down + half);
      ctx.stroke();
    } else {
      ctx.arc(at, down, size * 0.15, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

/** The place on which the agent stands, as its index; -1 for none. */
function placeUnder(track, frame) {
  const [x, y] = track.at("position", frame);
  return placesAt(track, frame).findIndex((place) => place !== null && place[0] === x && place[1] === y);
}

/** The share of the interaction underfoot that is done; 0 for none. */
function progressOf(track, frame, fraction) {
  const { affordances } = track.header.world, done = track.value("progress", frame), here = placeUnder(track, frame);
  const uses = track.header.world.actions[track.value("action", frame)]?.interacts ?? false;
  return here < 0 ? 0 : (done + (uses ? fraction : 0)) / affordances[here].ticks;
}

function ring(ctx, x, y, size, share) {
  if (share <= 0) return;
  ctx.strokeStyle = colour("accent");
  ctx.lineWidth = Math.max(2, size * 0.16);
  ctx.lineCap = "round";
  ctx.beginPath();
  ctx.arc(x, y, size, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.min(share, 1));
  ctx.stroke();
}
