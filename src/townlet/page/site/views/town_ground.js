// The ground of the town, night over it, and the fog of what the agent does not see.

import { colour } from "townlet/drawing.js";

/** The grid: cells of two greens, so that steps can be counted. */
export function paintGround(ctx, { side, left, top, columns, rows }) {
  ctx.fillStyle = colour("ground");
  ctx.beginPath();
  ctx.roundRect(left, top, side * columns, side * rows, 10);
  ctx.fill();
  ctx.save();
  ctx.clip();
  ctx.fillStyle = colour("ground-other");
  for (let y = 0; y < rows; y++) {
    for (let x = y % 2; x < columns; x += 2) ctx.fillRect(left + x * side, top + y * side, side, side);
  }
  ctx.restore();
}

/** Night over the ground, by how dark it is. */
export function paintNight(ctx, { side, left, top, columns, rows }, dark) {
  if (dark === 0) return;
  ctx.save();
  ctx.globalAlpha = 0.62 * dark;
  ctx.fillStyle = colour("night");
  ctx.beginPath();
  ctx.roundRect(left, top, side * columns, side * rows, 10);
  ctx.fill();
  ctx.restore();
}

/** Fog: a veil where the agent has looked before, dark where it never has. `view` and `seen` are row by row. */
export function paintFog(ctx, { side, left, top, columns, rows }, view, seen) {
  ctx.save();
  ctx.beginPath();
  ctx.roundRect(left, top, side * columns, side * rows, 10);
  ctx.clip();
  for (let cell = 0; cell < view.length; cell++) {
    if (view[cell] === 1) continue;
    const [x, y] = [left + (cell % columns) * side, top + Math.floor(cell / columns) * side];
    ctx.fillStyle = colour(seen[cell] < 0 ? "fog-never" : "fog-seen");
    ctx.fillRect(x, y, side, side);
  }
  ctx.restore();
}

/** The edge of what is in view, `reach` cells to each side of [x, y]. */
export function paintView(ctx, { side, left, top, columns, rows }, [x, y], reach) {
  const [from, to] = [Math.max(0, x - reach), Math.min(columns, x + reach + 1)];
  const [above, below] = [Math.max(0, y - reach), Math.min(rows, y + reach + 1)];
  ctx.beginPath();
  ctx.roundRect(left + from * side + 1, top + above * side + 1, (to - from) * side - 2, (below - above) * side - 2, 9);
  for (const [ink, width] of [["agent-edge", 4.5], ["view", 2.5]]) { // seen on light ground and on dark
    ctx.strokeStyle = colour(ink);
    ctx.lineWidth = width;
    ctx.stroke();
  }
}
