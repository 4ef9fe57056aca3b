// A house of the town: as it stands, as one whose kind is not known, or as a memory of it.

import { colour, placeColour, words } from "townlet/drawing.js";
import { hoursOf } from "townlet/explain/places.js";

const NAMED = 50; // pixels of a cell from which on there is room for a name
const FONT = "system-ui, sans-serif";

/**
 * Paint a house: {index, x, y, letters, known, open, tick, dark}, and of a memory `age` (steps since it was in view) and
 * `wrong` (nothing stands there any longer).
 */
export function paintHouse(ctx, grid, header, house) {
  const { side } = grid, affordance = header.world.affordances[house.index], memory = house.age !== undefined;
  const [x, y] = [grid.left + house.x * side, grid.top + house.y * side];
  const ink = house.known ? placeColour(affordance) : colour("unknown");
  ctx.save();
  ctx.globalAlpha = memory ? 0.75 : house.open ? 1 : 0.55;
  shape(ctx, x, y, side, ink, memory, house);
  label(ctx, x + side / 2, y + side * 0.6, side * (house.letters.length > 1 ? 0.24 : 0.28), house.letters, memory);
  if (side >= NAMED) under(ctx, x, y, side, memory ? ago(house) : caption(header, affordance, house), memory || house.dark > 0.5);
  if (house.wrong) cross(ctx, x, y, side);
  ctx.restore();
}

function shape(ctx, x, y, side, ink, memory, { open, dark }) {
  const at = (across, down) => [x + side * across, y + side * down];
  ctx.lineJoin = "round";
  ctx.lineWidth = Math.max(1.5, side * 0.035);
  ctx.strokeStyle = memory ? colour("ghost") : ink;
  ctx.setLineDash(memory ? [side * 0.07, side * 0.06] : []);
  ctx.beginPath();
  ctx.roundRect(...at(0.2, 0.4), side * 0.6, side * 0.4, side * 0.05);
  ctx.fillStyle = memory ? "transparent" : open && dark > 0.5 ? colour("lamp") : colour("wall");
  ctx.fill();
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(...at(0.12, 0.42));
  ctx.lineTo(...at(0.5, 0.13));
  ctx.lineTo(...at(0.88, 0.42));
  ctx.closePath();
  ctx.fillStyle = ink;
  ctx.fill();
  ctx.stroke();
  ctx.setLineDash([]);
}

function label(ctx, x, y, size, text, memory) {
  ctx.font = `700 ${size}px ${FONT}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colour(memory ? "ghost" : "letters");
  ctx.fillText(text, x, y);
}

function under(ctx, x, y, side, text, light) {
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  ctx.fillStyle = colour(light ? "ghost" : "name");
  let size = Math.min(12, side * 0.16);
  ctx.font = `500 ${size}px ${FONT}`;
  const width = ctx.measureText(text).width;
  if (width > side * 0.96) ctx.font = `500 ${(size *= (side * 0.96) / width)}px ${FONT}`;
  ctx.fillText(text, x + side / 2, y + side * 0.905);
}

function caption(header, affordance, { known, open }) {
  if (!known) return "";
  return open ? words(affordance.name) : hoursOf(header, affordance).replaceAll(":00", "");
}

function ago({ age }) {
  return `${age} ago`;
}

function cross(ctx, x, y, side) {
  ctx.strokeStyle = colour("bad");
  ctx.lineWidth = Math.max(2, side * 0.06);
  ctx.beginPath();
  ctx.moveTo(x + side * 0.2, y + side * 0.2);
  ctx.lineTo(x + side * 0.8, y + side * 0.8);
  ctx.moveTo(x + side * 0.8, y + side * 0.2);
  ctx.lineTo(x + side * 0.2, y + side * 0.8);
  ctx.stroke();
}
